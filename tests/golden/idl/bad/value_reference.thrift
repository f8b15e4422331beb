const string S = "s"
const i32 A = S
const list<i32> B = S
const list<string> C = [S]
const list<i32> D = C
