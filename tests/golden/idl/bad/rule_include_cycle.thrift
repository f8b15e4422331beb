include "../inc/ring_a.thrift"
struct S { 1: ring_a.A a }
