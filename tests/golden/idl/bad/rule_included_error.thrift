include "../inc/wrong.thrift"
struct S { 1: wrong.Inner i, 2: wrong.Unheard u }
