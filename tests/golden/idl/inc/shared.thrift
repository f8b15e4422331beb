namespace py shared
enum Level { LOW = 1, HIGH = 5 }
typedef i64 Stamp
struct Point { 1: double x, 2: double y = 1.5 }
exception Lost { 1: string why }
const i32 LIMIT = 40
const list<Level> LEVELS = [Level.LOW, Level.HIGH]
service Base { void ping() }
