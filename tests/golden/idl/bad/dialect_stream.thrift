service S { stream<i32> f() }
