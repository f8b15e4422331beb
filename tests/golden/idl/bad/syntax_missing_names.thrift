struct A {
  1: i32
  2: i32 b
  3:
  4: list<
}
const i32
  = 5
