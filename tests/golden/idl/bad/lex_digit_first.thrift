struct 2D { 1: i32 x }
struct A { 1: i32 3d }
