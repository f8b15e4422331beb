struct A {}
enum A {}
typedef i32 A
service A {}
union A {}
exception A {}
