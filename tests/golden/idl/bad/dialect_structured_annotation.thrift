@thrift.Experimental{level = 2}
struct A { 1: i32 x }
