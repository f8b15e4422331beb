struct Deep { 1: i32 x}
