typedef Nope A
const Nope B = 1
struct C { 1: A a }
service S { Nope f(1: Nope x) throws (1: Nope y) }
