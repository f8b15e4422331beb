const i32 LIMIT = 1
const i32 X = LIMTI
const i32 Y = other.LIMIT
