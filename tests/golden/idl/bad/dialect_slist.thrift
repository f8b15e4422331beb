struct A { 1: slist x }
