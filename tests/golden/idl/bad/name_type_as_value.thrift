struct A {}
const i32 X = A
