struct A {}
/** and so on
struct B {}
