service S { void f() throws E }
