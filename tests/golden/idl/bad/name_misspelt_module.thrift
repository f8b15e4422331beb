include "../inc/shared.thrift"
struct A { 1: shraed.Point p, 2: Point q }
