struct Numbers { 5: i32 b; 1: i32 a, 32767: i32 c }
service S { void f(3: i32 x, 1: string y) }
