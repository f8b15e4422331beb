const double NEGATIVE = -1.25
const double SHORT = .5
const list<double> MIXED = [1, 2.5, 1e-3]
struct S { 1: double d = 0, 2: double e = 1E3 }
