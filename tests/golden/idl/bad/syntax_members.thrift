struct A {
  1: i32 x,,
  2: list<i32 y
  3: i32
  4: string ok = "fine"
  5: required required i32 z
  6: i32 list
}
service S {
  void f(1: i32 a
  i32 g()
  void h(1: i32)
  oneway void i(),
  void oneway j()
}
enum E { A = 1.5, B, C }
enum F {
  A = "x"
  B = 2
  C:
  D
}
struct B { 1: A a, 2: i32 a }
struct C { 1: Nope n
union D { 1: i32 x }
