typedef A A
struct S { 1: A a }
