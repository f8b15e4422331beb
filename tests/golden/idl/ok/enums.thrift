enum Plain { A, B, C }
enum Jumps { A = 5, B, C = -3, D, E = 0x10, F = 5 }
enum Loose { A = 1; B = 2, C = 3 D = 4 }
enum Empty {}
