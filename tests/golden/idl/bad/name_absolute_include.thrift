include "/no/such/file.thrift"
struct A { 1: file.T t }
