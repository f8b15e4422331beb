typedef B A
typedef list<C> B
typedef map<i32, A> C
