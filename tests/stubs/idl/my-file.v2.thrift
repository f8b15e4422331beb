struct V { 1: i32 x}
