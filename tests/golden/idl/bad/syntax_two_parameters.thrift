struct A { 1: list<i32, i32> x }
