service S { sink<i32, i32> f() }
