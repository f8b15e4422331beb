service { void f() }
