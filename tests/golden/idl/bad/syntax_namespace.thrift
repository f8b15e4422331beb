namespace py
struct A {}
