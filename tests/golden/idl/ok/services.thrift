exception E { 1: string why }
service A { void nothing(), i32 number(1: i32 n) throws (1: E e), }
service B extends A { oneway void shout(1: string text), list<string> many(1: list<E> all) }
service Empty {}
