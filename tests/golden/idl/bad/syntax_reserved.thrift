struct A { 1: i32 list }
enum E { struct }
service S { void map() }
