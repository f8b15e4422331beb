struct A { 1: hash_map<i32, i32> x }
