include "ring_b.thrift"
struct A {}
