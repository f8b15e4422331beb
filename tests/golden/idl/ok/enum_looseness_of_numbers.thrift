enum E { A = 1 }
struct S { 1: i32 n = E.A, 2: i64 wide = E.A, 3: double d = E.A }
