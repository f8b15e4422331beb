struct A { 1: int x, 2: int32 y, 3: long z }
