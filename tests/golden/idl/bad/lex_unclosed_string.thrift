const string S = "abc
const i32 X = 1
