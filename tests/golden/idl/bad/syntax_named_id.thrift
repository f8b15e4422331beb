struct A { ONE: i32 x }
