include "../inc/shared.thrift"
struct A { 1: shared.Pont p }
service S extends shared.Bas {}
const i32 L = shared.LIMT
