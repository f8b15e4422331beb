struct A { 1: float x }
