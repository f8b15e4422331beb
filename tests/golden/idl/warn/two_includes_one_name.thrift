include "../inc/shared.thrift"
include "../inc/other/shared.thrift"
struct A { 1: shared.Second s, 2: shared.Level l, 3: shared.Point p }
