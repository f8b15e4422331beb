// Typedefs, comments, docs, order and annotations do not travel.
typedef i64 ItemId
exception SoldOut { 1: string why }
service Shop {
  void buy(1: Item item) throws (1: SoldOut soldOut)
  oneway void seen(1: ItemId id)
  list<Item> search(2: i32 limit = 10, 1: string text) (thriftserver.timeout = "2s")
  Item find(1: ItemId id)
}
struct Item { 3: optional Color color, 2: string name, 1: required ItemId id }
enum Color { BLUE = 2, RED = 1 }
