union Shape { 1: double circle, 3: string path }
union Answer { 2: i64 number, 3: bool truth }
union Pair { 1: i32 a, 2: i32 b }
service Draw { Answer put(1: Shape shape, 2: Pair pair) }
