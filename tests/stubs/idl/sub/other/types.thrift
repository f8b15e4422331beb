struct T2 { 1: i32 x}
