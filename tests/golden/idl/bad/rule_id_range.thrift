struct A { 32768: i32 a, 99999999999999999999: i32 b }
service S { void f(40000: i32 x) }
