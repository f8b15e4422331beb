include "money.thrift"

enum Kind { PEN = 1, INK = 5 }
exception OutOfStock { 1: string name, 2: i32 wanted }
exception Closed {}
struct Item {
  1: required string name,
  2: i32 count = 1,
  3: optional Kind kind,
  4: optional money.Price price,
  5: list<string> tags,
}
const i32 MOST = 99

service Base { string version() }
service Shop extends Base {
  money.Price price(1: string name) throws (1: OutOfStock out, 2: Closed closed),
  Item reserve(1: Item item, 2: i32 days = 3) throws (1: OutOfStock out),
  map<string, Item> stock(),
  list<Kind> kinds(),
  void restock(1: map<Kind, i32> counts) throws (1: Closed closed),
  oneway void visited(1: string page),
  i32 visits(),
  string slow(1: i32 milliseconds),
  void leave(),
  string crash(),
  string tenant(),
}
service Till { i32 sum(1: list<i32> cents) }
