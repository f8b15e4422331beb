include "../inc/shared.thrift"
service A { void f() }
service B extends A {}
service C extends B { void f() }
service D extends shared.Base { i32 ping() }
