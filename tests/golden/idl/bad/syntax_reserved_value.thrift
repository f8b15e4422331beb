const i32 X = string
