include "goods.thrift"

typedef goods.Item Thing
typedef set<Thing> Things

exception Complaint { 1: required string why, 2: optional goods.Item about }

union Way { 1: string road, 2: i32 rail = 4, 3: goods.Item itself }

struct Tree { 1: i32 value, 2: list<Tree> branches }

struct Load {
  1: list<Thing> items,
  2: Things once,
  3: map<goods.Item, list<goods.Item>> pairs,
  4: map<string, map<i32, goods.Item>> deep,
  5: Way way,
  6: goods.Kind kind = goods.Kind.HEAVY,
  7: goods.Item spare = {"name": "spare", "tags": ["s"], "kind": goods.Kind.LIGHT},
  8: optional Complaint complaint,
  9: Tree tree,
  10: optional i32 unset
}

service Depot {
  Load carry(1: Load load),
  string look(1: Load load, 2: goods.Item item, 3: Way way, 4: Complaint complaint),
  list<goods.Item> each(1: list<goods.Item> items, 2: goods.Item fallback = {"name": "fallback"}) throws (1: Complaint c)
}
