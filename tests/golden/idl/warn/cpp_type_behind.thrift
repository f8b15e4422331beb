struct A { 1: list<i32> cpp_type "vec" a }
