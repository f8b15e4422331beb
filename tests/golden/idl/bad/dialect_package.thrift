package "example.com/x"
struct A {}
