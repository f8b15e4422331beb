struct A { 1: own_prefix.B b = {"x": own_prefix.X} }
struct B { 1: i32 x }
const i32 X = 4
service S {}
service T extends own_prefix.S {}
