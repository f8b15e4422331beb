struct A { 1: i32 a, 2: i32 b; 3: i32 c 4: i32 d }
struct B {}
typedef i32 C;
typedef i32 D,
const i32 E = 1;
const i32 F = 2,
const i32 G = 3
service S { void a(), void b(); void c() void d(1: i32 x 2: i32 y; 3: i32 z,) }
enum H { A, B; C D }
