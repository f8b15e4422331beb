struct A {
  1: i32 x
  1: i32 y
}
service S { void f(7: i32 a, 7: i32 b) }
