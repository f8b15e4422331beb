struct A {}
}
struct B { 1: Nope n }
