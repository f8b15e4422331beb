const list<i32> A = [1, "b", 2, 3.5]
const set<i32> B = {1: 1}
const map<i32, string> C = {"k": 1}
const map<i32, i32> D = [1]
const list<i32> E = 5
