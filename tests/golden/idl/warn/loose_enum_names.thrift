enum E { A, B }
enum F { C }
const E X = A
const E Y = Nope.B
const E Z = F.B
