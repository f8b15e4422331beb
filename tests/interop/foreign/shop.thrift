enum State { OPEN = 1, PAID = 2 }

struct Item {
  1: required string name,
  2: i32 count = 1,
  3: optional double price
}

union Payment {
  1: string card,
  2: i64 cash
}

struct Order {
  1: i64 id,
  2: list<Item> items,
  3: set<string> labels,
  4: map<string, Item> by_name,
  5: State state = State.OPEN,
  6: Payment payment,
  7: optional binary receipt
}

exception OutOfStock {
  1: string name,
  2: list<Item> instead
}

exception Closed {}

service Shop {
  Order order(1: list<Item> items, 2: Payment payment) throws (1: OutOfStock out, 2: Closed closed),
  map<i32, list<Item>> shelves(),
  i32 count(1: Order order),
  void explode(1: string how) throws (1: Closed closed)
}
