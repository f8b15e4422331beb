struct S { 1: required i32 a; 2: optional i32 b; 3: i32 c }
union U { 1: i32 a; 2: optional i32 b }
exception X { 1: required string why }
service V { void f(1: required i32 a, 2: i32 b) throws (1: X x) }
