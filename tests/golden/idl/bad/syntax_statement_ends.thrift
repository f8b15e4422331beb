const i32 X

struct B {}
