struct A { 1: i32 x,, }
struct B { 1: i32 y }
enum C { D = }
struct E { 1: B b, 2: F f }
