struct Inner { 1: i32 a = 5, 2: optional string b, 3: list<i32> c = [1] }
struct Outer { 1: Inner inner = {"b": "set"}, 2: map<string, Inner> more = {"k": {"a": 1}} }
const Outer ALL_DEFAULTS = {}
const Outer SOME = {"inner": {"a": 9}, "more": {}}
union Either { 1: i32 left = 3, 2: string right }
const Either RIGHT = {"right": "r"}
const map<Inner, i32> KEYS = {{"a": 1}: 1, {"a": 2}: 2}
exception Oops { 1: string message = "oops" }
const Oops CONSTANT_EXCEPTION = {"message": "x"}
