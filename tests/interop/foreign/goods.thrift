enum Kind { LIGHT = 1, HEAVY = 2 }

struct Item {
  1: required string name,
  2: i32 count = 1,
  3: list<string> tags,
  4: Kind kind
}
