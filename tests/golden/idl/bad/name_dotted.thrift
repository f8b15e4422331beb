struct a.B {}
enum E { a.B = 1 }
service s.S { void f.g(1: i32 x.y) }
const i32 c.d = 1
typedef i32 t.u
