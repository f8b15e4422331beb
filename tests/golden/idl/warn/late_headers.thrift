struct A {}
namespace py late
include "../inc/shared.thrift"
