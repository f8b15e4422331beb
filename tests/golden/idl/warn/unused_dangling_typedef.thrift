typedef Nope A
typedef list<Nope> B
struct S {}
