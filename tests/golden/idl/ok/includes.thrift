include "../inc/shared.thrift"
namespace py app
struct Use {
  1: shared.Point p = {"x": 2}
  2: shared.Level level = shared.Level.HIGH
  3: list<shared.Stamp> stamps
  4: i32 limit = shared.LIMIT
}
const list<shared.Level> COPY = shared.LEVELS
const i64 WIDER = shared.LIMIT
service S extends shared.Base { shared.Point get() throws (1: shared.Lost lost) }
