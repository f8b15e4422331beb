struct B { 1: binary bytes }
struct Sequence { 1: list<B> bees }
service Bees { list<Sequence> all(1: list<binary> bytes) }
