include "../types.thrift"
include "deep.thrift"
struct Address { 1: required string street, 2: types.T t }
exception Oops {1: string why}
typedef deep.Deep Deeper
service Base { void close(), Address where(), void take(1: Deeper d) }
