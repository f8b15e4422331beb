struct A {
<<<<<<< ours
  1: i32 x
=======
  1: i64 x
>>>>>>> theirs
}
