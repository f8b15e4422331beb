enum Color {
  RED = 1
  BLUE = 2
  GREEN = 3
}

struct Price {
  1: i64 cents
}

struct Item {
  1: required i64 id
  2: optional string title
  3: optional i32 color
  4: optional Price price
}

exception SoldOut {
  1: string why
}

exception Closed {
  1: i64 until
}

service Shop {
  Item find(1: i64 id, 2: string language)
  list<Item> search(1: string text, 2: i32 limit = 20)
  bool buy(1: Item item) throws (1: SoldOut soldOut, 2: Closed closed)
  oneway void seen(1: i64 id)
  list<Item> all()
}

service Admin {
  void restock(1: Item item)
}
