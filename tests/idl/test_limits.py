"""Texts made to take for ever, fill the memory or overflow the stack: each ends at once, with a module or an error."""

from __future__ import annotations

import time

import pytest

from thriftserver.idl.diagnostics import render
from thriftserver.idl.loader import Loader

MANY = 4_000


def chain(line: str, count: int = MANY) -> str:
    return "\n".join(line.format(this=number, next=number + 1) for number in range(count))


def doubling(count: int = 60) -> str:
    type, lines = "i32", ["const list<i32> C0 = [1, 1]"]
    for number in range(1, count):
        type = f"list<{type}>"
        lines.append(f"const list<{type}> C{number} = [C{number - 1}, C{number - 1}]")
    return "\n".join(lines)


TEXTS = {
    "typedefs forward": chain("typedef T{next} T{this}") + f"\ntypedef i32 T{MANY}",
    "typedefs backward": "typedef i32 T0\n" + chain("typedef T{this} T{next}"),
    "typedefs doubling": "typedef i32 T0\n" + chain("typedef map<T{this},T{this}> T{next}", 60),
    "typedefs in a ring": chain("typedef T{next} T{this}") + f"\ntypedef T0 T{MANY}",
    "constants in a line": chain("const i32 C{this} = C{next}") + f"\nconst i32 C{MANY} = 1",
    "constants in a ring": chain("const i32 C{this} = C{next}") + f"\nconst i32 C{MANY} = C0",
    "constants nested": "const list<i32> C0 = [1]\n"
    + "\n".join(f"const {'list<' * n}i32{'>' * n} C{n} = [C{n - 1}]" for n in range(2, 300)),
    "constants doubling": doubling(),
    "services in a line": "service S0 {}\n" + chain("service S{next} extends S{this} {{ void f{this}() }}"),
    "types nested": f"struct A {{ 1: {'list<' * 20_000}i32{'>' * 20_000} x }}",
    "types unclosed": f"struct A {{ 1: {'map<i32,' * 20_000}",
    "lists unclosed": f"const list<i32> X = {'[' * 50_000}",
    "lists nested": f"const {'list<' * 3_000}i32{'>' * 3_000} X = {'[' * 3_000}{']' * 3_000}",
    "structs nested": "struct A { 1: A a }\nconst A X = " + '{"a":' * 3_000 + "{}" + "}" * 3_000,
    "default of itself": "struct A { 1: A a = {} }\nstruct B { 1: list<B> b = [{}] }\nconst B X = {}",
    "errors": "struct 9 {\n" * MANY,
    "unknown names": "".join(f"struct S{n} {{ 1: Unknown{n} u }}\n" for n in range(MANY)),
    "quotes": '"' * 50_001,
    "quotes in lines": '"\n' * 50_000,
    "comments": "/**" * 50_000,
    "characters": "@" * 50_000,
    "digits": f"const i64 X = {'9' * 100_000}",
    "digits of a double": f"const double X = {'9' * 100_000}.5",
    "hexadecimal digits": f"struct A {{ 0x{'f' * 100_000}: i32 x }}",
    "a long name": f"struct {'a.' * 50_000}b {{}}",
    "a long line": f"struct A {{ {'1: i32 x ' * MANY} }}",
    "doc comments": "/** x */" * 20_000 + "struct A {}",
    "includes of itself": 'include "m.thrift"\n' * 1_000,
    "nothing": "",
    "blanks": " \n" * 100_000,
}


@pytest.mark.parametrize("name", TEXTS)
def test_ends_at_once(name: str) -> None:
    start = time.process_time()
    module, found = Loader().check("m.thrift", files={"m.thrift": TEXTS[name]})
    report = render(found)
    assert module is not None or "error" in report
    assert len(report) < 100_000
    assert time.process_time() - start < 5


def test_endless_defaults_are_refused() -> None:
    module, found = Loader().check("m.thrift", files={"m.thrift": TEXTS["default of itself"]})
    assert module is None
    assert [diagnostic.message for diagnostic in found] == [
        "the default of `A.a` contains itself without end",
        "the default of `B.b` contains itself without end",
    ]
