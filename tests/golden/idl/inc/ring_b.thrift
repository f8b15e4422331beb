include "ring_a.thrift"
struct B {}
