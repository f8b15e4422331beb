struct uuid { 1: i64 high, 2: i64 low }
struct Holder { 1: uuid id }
