service Late extends Early { Thing get(1: Name n = PREFIX) throws (1: Gone g) }
const Color FAVOURITE = Color.RED
const i32 TWICE = ONCE
const i32 ONCE = 21
typedef Other Name
typedef string Other
const string PREFIX = "p"
struct Thing { 1: Name name = PREFIX, 2: optional Color color = FAVOURITE, 3: optional Thing next }
exception Gone { 1: Thing thing }
service Early { oneway void poke() }
enum Color { RED = 3 }
