// IDL of the benchmarks. Every server implements the service Bench, burn apart, which only thriftserver is asked for; the
// structs below it are used by codec_bench.py only.

namespace cpp bench
namespace py bench_gen

enum Role {
    GUEST = 0,
    MEMBER = 1,
    ADMIN = 7
}

struct Address {
    1: string street,
    2: string city,
    3: optional string zip,
    4: i32 country,
    5: optional double lat,
    6: optional double lon
}

// 14 fields, of which `nickname` is left unset in every second user.
struct User {
    1: i32 id,
    2: string name,
    3: optional string email,
    4: Role role,
    5: bool active,
    6: double score,
    7: i64 created_at,
    8: binary avatar,
    9: Address address,
    10: list<string> tags,
    11: map<string, i32> counters,
    12: optional i16 level,
    13: optional string nickname,
    14: byte flags
}

service Bench {
    void ping(),
    string echo(1: string text),
    i64 add(1: i64 a, 2: i64 b),
    User get_user(1: i32 id),
    list<User> batch(1: list<User> users),
    oneway void notify(1: i32 code, 2: string text),
    // Uses up that much CPU time: overload_bench.py
    void burn(1: i32 microseconds)
}

// ---- codec_bench.py only -------------------------------------------------

struct Users {
    1: list<User> users
}

struct Numbers {
    1: list<i64> values
}

struct Blob {
    1: binary data
}

struct Texts {
    1: list<string> values
}

struct Leaf {
    1: i32 a,
    2: string b,
    3: double c
}

struct L6 { 1: i32 n, 2: string s, 3: list<Leaf> leaves }
struct L5 { 1: i32 n, 2: string s, 3: L6 left, 4: L6 right }
struct L4 { 1: i32 n, 2: string s, 3: L5 left, 4: L5 right }
struct L3 { 1: i32 n, 2: string s, 3: L4 left, 4: L4 right }
struct L2 { 1: i32 n, 2: string s, 3: L3 left, 4: L3 right }

// Six levels of nesting, 16 L6 at the bottom, each with 4 leaves, and 48
// scalar fields beside it.
struct DeepWide {
    1: L2 tree,
    2: i32 w00,
    3: i64 w01,
    4: double w02,
    5: bool w03,
    6: string w04,
    7: i16 w05,
    8: i32 w06,
    9: i64 w07,
    10: double w08,
    11: bool w09,
    12: string w10,
    13: i16 w11,
    14: i32 w12,
    15: i64 w13,
    16: double w14,
    17: bool w15,
    18: string w16,
    19: i16 w17,
    20: i32 w18,
    21: i64 w19,
    22: double w20,
    23: bool w21,
    24: string w22,
    25: i16 w23,
    26: i32 w24,
    27: i64 w25,
    28: double w26,
    29: bool w27,
    30: string w28,
    31: i16 w29,
    32: i32 w30,
    33: i64 w31,
    34: double w32,
    35: bool w33,
    36: string w34,
    37: i16 w35,
    38: i32 w36,
    39: i64 w37,
    40: double w38,
    41: bool w39,
    42: string w40,
    43: i16 w41,
    44: i32 w42,
    45: i64 w43,
    46: double w44,
    47: bool w45,
    48: string w46,
    49: i16 w47,
}
