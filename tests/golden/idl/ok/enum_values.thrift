enum E { A = 1, B = 2 }
typedef E Alias
const E PLAIN = E.A
const E NUMBER = 2
const Alias VIA_ALIAS = Alias.B
const i32 AS_INT = E.B
const map<E, list<E>> IN_MAP = {E.A: [E.A, 2], 2: []}
struct S { 1: E e = E.B, 2: Alias a = PLAIN }
const E ANOTHER = VIA_ALIAS
