struct A { i32 a, i32 b, 4: i32 c, -7: i32 d }
service S { void f(i32 x) }
