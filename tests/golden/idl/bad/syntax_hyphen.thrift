struct A-B { 1: i32 x }
