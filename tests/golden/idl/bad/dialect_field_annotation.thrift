struct A {
  @cpp.Ref
  1: i32 x
}
