struct S { 1: i8 a = 200, 2: i16 b = 40000 }
