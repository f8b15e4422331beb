include "../inc/broken.thrift"
struct S { 1: broken.Fine f, 2: broken.Bad b, 3: Own o }
