const string S = "a" + "b"
const i32 X = 1 / 2
