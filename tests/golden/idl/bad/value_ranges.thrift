const i8 A = 128
const i16 B = -32769
const i32 C = 2147483648
const i64 D = 9223372036854775808
const i64 E = 0x1ffffffffffffffff
