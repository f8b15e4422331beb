const string S = "a\d"
struct A { 1: string s = "\x41" }
