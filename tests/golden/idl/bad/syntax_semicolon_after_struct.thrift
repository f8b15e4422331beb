struct A {};
struct B {}
