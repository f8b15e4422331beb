/** Sells things. */
enum Color {
  RED = 1
  BLUE = 2
}

struct Item {
  1: required i64 id
  2: string name
  3: optional Color color
}

exception SoldOut {
  1: string why
}

service Shop {
  Item find(1: i64 id)
  list<Item> search(1: string text, 2: i32 limit = 10)
  void buy(1: Item item) throws (1: SoldOut soldOut)
  oneway void seen(1: i64 id)
}
