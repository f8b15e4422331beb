const i32 A = 1
struct A { 1: i32 a }
enum B { A = 7, C }
const i32 B = 2
const B VALUE = B.A
service S { void A(1: i32 S) }
