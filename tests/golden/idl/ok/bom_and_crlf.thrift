struct A {
  1: i32 x // comment
}
const string S = "a"
