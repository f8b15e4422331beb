struct A { 1: B b = {} }
struct B { 1: list<A> a = [{}] }
