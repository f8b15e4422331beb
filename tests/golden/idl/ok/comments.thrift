#!/usr/bin/thrift
# unix
// c++
/* block */ /**/ /***/ /* * / ** */
struct /* inside */ A { // after
  1: /* here */ i32 x # end
  /* last */ }
// no newline at the end