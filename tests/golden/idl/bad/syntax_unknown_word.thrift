sruct A {}
struct B {}
