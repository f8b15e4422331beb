/** Docs with """ quotes, \ backslashes and a last " */
include "sub/shared.thrift"
include "sub/other/types.thrift"
include "types.thrift"
include "fb303.thrift"
include "my-file.v2.thrift"
include "bytes.thrift"

enum Status {
  OK = 1, None = 2, mro = 3, name = 4, value = 5, real = 6, _x_ = 7, AGAIN = 1, bit_length = 8, Status = 9, count = 10
}
enum class { a /** The only one. */ }
struct str { 1: string str, 2: i32 int, 3: list<str> bytes, 4: map<list<i32>, set<set<i32>>> dict, 5: Status Status }
struct Me { 1: i32 self, 2: string cls }
struct self_ {
  1: string self, 2: string cls, 3: i32 from, 4: i32 from_, 5: required i32 class, 6: string __x, 7: i32 __name, 8: i32 _self
}
struct Self { 1: required Self Self, 2: optional Any Any, 3: required uuid id, 4: map<map<string, i32>, i32> m }
typedef shared.Address Address
typedef Address Twice
typedef i32 Number
struct Any {
  1: Address a, 2: Twice b = {"street": "x"}, 3: types.T t, 4: Number n = 7, 5: double d = 1, 6: string s = "quote\"'\\ \n",
  7: binary b2 = "xy", 8: double huge = 1e300, 9: i64 l = 0x7fffffffffffffff, 10: bool yes = 1, 11: Status best = Status.OK
}
union Literal { 1: i32 self, 2: string str, 3: Literal Literal, 4: bool None }
union Empty {}
struct Nothing {}
struct Holder { 1: bytes.Sequence held, 2: binary raw, 3: types.T2 types, 4: bytes.B b }
exception Exception { 1: string message, 2: i32 args, 3: string add_note, 4: i32 with_traceback, 5: i32 self }
exception Bare {}
const map<Status, list<string>> TABLE = {1: ["a"]}
const str TEXT = {"str": "x"}
const Status BEST = Status.OK
const i32 None = 3
const i32 shared = 3
service Client extends fb303.FacebookService {
  /** Docs with """ and \n. */
  Self Client(1: Self Self, 2: i32 self, 3: str str, 4: list<set<Status>> from) throws (1: Exception e, 2: shared.Oops o),
  oneway void close(1: i32 now = 5, 2: i32 then),
  void stats(),
  void import(1: i32 import, 2: i32 _self, 3: i32 self),
  map<i32, Literal> Handler(),
  void print(1: set<list<i32>> print = [])
}
service Handler extends Client { i32 more(), void overload(1: Literal x), binary echo(1: binary b) }
service Low extends shared.Base { Status low(1: binary b) }
service Alone {}
