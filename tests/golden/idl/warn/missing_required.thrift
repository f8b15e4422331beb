struct S { 1: required i32 a, 2: required i32 b = 1, 3: required i32 c }
const S X = {"a": 1}
