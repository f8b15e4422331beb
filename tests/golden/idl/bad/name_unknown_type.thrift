struct User { 1: i32 id }
struct A { 1: Usr u, 2: user v, 3: list<map<string, Unrelated>> w }
