union Shape { 1: double circle, 2: list<double> polygon }
union Answer { 1: string text, 2: i64 number }
struct Pair { 1: i32 a, 2: i32 b }
service Draw { Answer put(1: Shape shape, 2: Pair pair) }
