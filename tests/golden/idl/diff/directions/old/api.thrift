struct Query { 1: required string text, 2: optional i32 limit, 3: Order order }
struct Page { 1: required i64 total, 2: optional list<string> lines, 3: Source source }
enum Order { UP = 1, DOWN = 2 }
enum Source { DISK = 1, TAPE = 2 }
service Log { Page read(1: Query query) }
