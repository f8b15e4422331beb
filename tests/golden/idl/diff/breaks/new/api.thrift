enum Color {
  RED = 2
}

struct Item {
  1: optional string id
  2: required string name
  4: optional Color color
  5: required bool stocked
}

service Shop {
  void find(1: i64 id)
  set<Item> search(1: i32 limit, 2: string text)
  oneway void buy(1: Item item)
  void seen(1: i64 id)
}
