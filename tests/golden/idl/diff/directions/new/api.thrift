struct Query { 1: optional string text, 2: required i32 limit, 3: Order order }
struct Page { 1: optional i64 total, 2: required list<string> lines, 3: Source source }
enum Order { UP = 1 }
enum Source { DISK = 1 }
service Log { Page read(1: Query query) }
