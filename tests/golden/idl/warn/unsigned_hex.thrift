const i32 MASK = 0xffffffff
