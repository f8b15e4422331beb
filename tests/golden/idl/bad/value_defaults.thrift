struct S { 1: i32 a = "x", 2: list<string> b = [1] }
exception E { 1: string m = 1 }
service V { void f(1: i32 x = "y") }
