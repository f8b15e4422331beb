const i32 BIG = 70000
const i16 SMALL = BIG
