"""What breaks between two versions of an IDL: each rule, in each direction in which values travel."""

from __future__ import annotations

import re
from typing import Any

import pytest

import thriftserver
from tests.support import ROOT
from thriftserver.errors import WireError
from thriftserver.idl.loader import Loader
from thriftserver.schema.change import Change, Rule
from thriftserver.schema.compat import breaking, compare
from thriftserver.schema.model import Module


def load(text: str, name: str = "api", **included: str) -> Module:
    files = {f"{name}.thrift": text} | {f"{key}.thrift": value for key, value in included.items()}
    return Loader().load(f"{name}.thrift", files=files)


def told(changes: list[Change]) -> list[str]:
    return [f"{change.severity} {change.rule} {change.path}" for change in changes]


def diff(old: str, new: str) -> list[str]:
    return told(compare([load(old)], [load(new)]))


def both_ways(old: str, new: str) -> tuple[list[str], list[str]]:
    """The changes of definitions that are only sent by clients, and of the same that are only sent by the server."""
    request, result = " service S { void f(1: T t) }", " service S { T f() }"
    return diff(old + request, new + request), diff(old + result, new + result)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("i32", "i64", "breaking type-changed"),
        ("bool", "i8", "breaking type-changed"),
        ("byte", "i8", None),
        ("i32", "E", "compatible enum-or-i32"),
        ("E", "i32", "compatible enum-or-i32"),
        ("E", "i64", "breaking type-changed"),
        ("E", "F", "compatible type-renamed"),
        ("string", "binary", "compatible string-or-binary"),
        ("binary", "string", "compatible string-or-binary"),
        ("uuid", "binary", "breaking type-changed"),
        ("list<i32>", "set<i32>", "breaking type-changed"),
        ("list<i32>", "list<i64>", "breaking type-changed"),
        ("list<i32>", "list<E>", "compatible enum-or-i32"),
        ("map<i32,string>", "map<i64,string>", "breaking type-changed"),
        ("map<i32,string>", "map<E,i32>", "breaking type-changed"),
        ("map<i32,list<set<A>>>", "map<i32,list<set<B>>>", "compatible type-renamed"),
        ("A", "B", "compatible type-renamed"),
        ("A", "i32", "breaking type-changed"),
        ("list<A>", "A", "breaking type-changed"),
        ("Named", "i32", None),
        ("list<Named>", "Names", None),
    ],
)
def test_types(old: str, new: str, expected: str | None) -> None:
    known = """
    typedef i32 Named  typedef list<i32> Names
    enum E { X = 1 } enum F { X = 1 } struct A { 1: i32 x } struct B { 1: i32 x } struct Other { 1: string x }
    """
    for template in ("struct T {{ 1: {} x }} service S {{ void f(1: T t) }}", "service S {{ {} f() }}"):
        found = diff(known + template.format(old), known + template.format(new))
        assert [line.rpartition(" ")[0] for line in found] == ([] if expected is None else [expected])


@pytest.mark.parametrize(
    ("old", "new", "request_", "result"),
    [
        ("optional", "required", "breaking required-changed", "compatible required-changed"),
        ("", "required", "breaking required-changed", "compatible required-changed"),
        ("required", "optional", "compatible required-changed", "breaking required-changed"),
        ("required", "", "compatible required-changed", "breaking required-changed"),
        ("", "optional", "compatible required-changed", "compatible required-changed"),
        (None, "required", "breaking required-added", "compatible required-added"),
        (None, "optional", "compatible field-added", "compatible field-added"),
        (None, "", "compatible field-added", "compatible field-added"),
        ("required", None, "compatible required-removed", "breaking required-removed"),
        ("optional", None, "compatible field-removed", "compatible field-removed"),
    ],
)
def test_requiredness_by_who_writes(old: str | None, new: str | None, request_: str, result: str) -> None:
    def struct(word: str | None) -> str:
        field = "" if word is None else f"2: {word} string x"
        return f"struct T {{ 1: i32 kept {field} }}"

    as_request, as_result = both_ways(struct(old), struct(new))
    assert as_request == [f"{request_} api.T.x"]
    assert as_result == [f"{result} api.T.x"]


def test_a_struct_that_goes_both_ways_must_satisfy_both() -> None:
    service = " struct Box { 1: list<T> all } service S { Box f(1: T t) }"
    old, new = "struct T { 1: required i32 a 2: i32 b }", "struct T { 1: i32 a 2: required i32 b }"
    assert diff(old + service, new + service) == [
        "breaking required-changed api.T.a",
        "breaking required-changed api.T.b",
    ]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("1: i32 a", "1: i32 b", ["compatible field-renamed api.T.a"]),
        ("1: i32 a", "1: string b", ["breaking id-reused api.T.a"]),
        ("1: i32 a", "2: i32 a", ["breaking id-changed api.T.a"]),
        ("1: i32 a", "1: string b 2: i32 a", ["breaking id-changed api.T.a"]),
        ("1: i32 a 2: i32 b", "1: i32 b 2: i32 a", ["breaking id-changed api.T.a", "breaking id-changed api.T.b"]),
        ("1: i32 a 2: i32 b", "1: i32 b", ["breaking id-reused api.T.a", "breaking id-changed api.T.b"]),
        ("1: i32 a 2: i32 b", "2: i32 b 1: i32 a", []),
        ("1: i32 a = 1", "1: i32 a = 2", ["compatible default-changed api.T.a"]),
        ("1: i32 a", "1: i32 a = 2", ["compatible default-changed api.T.a"]),
        ("1: list<i32> a = [1]", "1: list<i32> a = [1]", []),
    ],
)
def test_ids_names_and_defaults(old: str, new: str, expected: list[str]) -> None:
    for found in both_ways(f"struct T {{ {old} }}", f"struct T {{ {new} }}"):
        assert found == expected


@pytest.mark.parametrize(
    ("old", "new", "request_", "result"),
    [
        ("A = 1, B = 2", "A = 1", "breaking enum-removed api.T.B", "compatible enum-removed api.T.B"),
        ("A = 1", "A = 1, B = 2", "compatible enum-added api.T.B", "compatible enum-added api.T.B"),
        ("A = 1", "A = 2", *["breaking enum-renumbered api.T.A"] * 2),
        ("A = 1", "Z = 1", *["compatible enum-renamed api.T.A"] * 2),
        ("A = 1, B = 1", "A = 1", *["compatible enum-renamed api.T.B"] * 2),
    ],
)
def test_enums(old: str, new: str, request_: str, result: str) -> None:
    as_request, as_result = both_ways(f"enum T {{ {old} }}", f"enum T {{ {new} }}")
    assert (as_request, as_result) == ([request_], [result])


def test_an_enum_number_that_another_member_takes_over() -> None:
    for found in both_ways("enum T { A = 1, B = 2 }", "enum T { B = 1 }"):
        assert found == ["breaking enum-renumbered api.T.A", "breaking enum-renumbered api.T.B"]


def test_a_member_that_a_union_loses() -> None:
    as_request, as_result = both_ways("union T { 1: i32 a 2: i32 b }", "union T { 1: i32 a }")
    assert as_request == ["breaking member-removed api.T.b"]
    assert as_result == ["compatible member-removed api.T.b"]


@pytest.mark.parametrize(
    ("old", "new", "severity"),
    [
        ("struct", "exception", "compatible"),
        ("exception", "struct", "compatible"),
        ("struct", "union", "breaking"),
        ("union", "exception", "breaking"),
    ],
)
def test_kinds(old: str, new: str, severity: str) -> None:
    for found in both_ways(f"{old} T {{ 1: optional i32 a }}", f"{new} T {{ 1: optional i32 a }}"):
        assert found == [f"{severity} kind-changed api.T"]


def test_a_new_member_of_a_union() -> None:
    for found in both_ways("union T { 1: i32 a }", "union T { 1: i32 a 2: i32 b }"):
        assert found == ["compatible field-added api.T.b"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("void f(), void g()", "void f()", ["breaking method-removed S.g"]),
        ("void f()", "void f(), void g()", ["compatible method-added S.g"]),
        ("void f(), void g()", "void g(), void f()", []),
        ("void f()", "oneway void f()", ["breaking oneway-changed S.f"]),
        ("oneway void f()", "void f()", ["breaking oneway-changed S.f"]),
        ("oneway void f()", "i32 f()", ["breaking oneway-changed S.f"]),
        ("i32 f()", "string f()", ["breaking type-changed S.f"]),
        ("i32 f()", "void f()", ["breaking result-removed S.f"]),
        ("void f()", "i32 f()", ["compatible result-added S.f"]),
        ("void f(1: i32 a)", "void f(1: string a)", ["breaking type-changed S.f(1: a)"]),
        ("void f(1: i32 a)", "void f(2: i32 a)", ["breaking id-changed S.f(1: a)"]),
        ("void f(1: i32 a)", "void f(1: i32 b)", ["compatible field-renamed S.f(1: a)"]),
        ("void f(1: i32 a)", "void f(1: string b)", ["breaking id-reused S.f(1: a)"]),
        ("void f(1: i32 a)", "void f()", ["compatible field-removed S.f(1: a)"]),
        ("void f()", "void f(1: i32 a)", ["compatible field-added S.f(1: a)"]),
        ("void f()", "void f(1: required i32 a)", ["breaking required-added S.f(1: a)"]),
        ("void f(1: i32 a)", "void f(1: required i32 a)", ["breaking required-changed S.f(1: a)"]),
        ("void f(1: required i32 a)", "void f()", ["compatible required-removed S.f(1: a)"]),
        ("void f() throws (1: X x)", "void f()", ["breaking exception-removed S.f throws (1: x)"]),
        ("void f()", "void f() throws (1: X x)", ["compatible exception-added S.f throws (1: x)"]),
        ("void f() throws (1: X x)", "void f() throws (2: X x)", ["breaking id-changed S.f throws (1: x)"]),
        ("void f() throws (1: X x)", "void f() throws (1: Y x)", ["breaking type-changed api.X.why"]),
        ("void f() throws (1: X x)", "void f() throws (1: required X x)", []),
    ],
)
def test_methods(old: str, new: str, expected: list[str]) -> None:
    known = "exception X { 1: string why } exception Y { 1: i32 why } "
    found = diff(f"{known} service S {{ {old} }}", f"{known} service S {{ {new} }}")
    assert [line for line in found if "type-renamed" not in line] == expected


def test_services_come_and_go() -> None:
    assert diff("service S {} service T {}", "service T {} service U {}") == [
        "breaking service-removed S",
        "compatible service-added U",
    ]


BASE = "service Root { void r() } service Base extends Root { void b(), void c() } "


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (BASE + "service S extends Base {}", BASE + "service S {}", ["breaking extends-changed S"]),
        (BASE + "service S extends Base {}", BASE + "service S extends Root {}", ["breaking extends-changed S"]),
        (
            BASE + "service S extends Root {}",
            BASE + "service S extends Base {}",
            ["compatible extends-changed S", "compatible method-added Base.b", "compatible method-added Base.c"],
        ),
        (
            BASE + "service S extends Root {}",
            BASE + "service S { void r() }",
            ["compatible extends-changed S"],
        ),
        (
            "service S extends Base {} " + BASE,
            "service S extends Base {} " + BASE.replace(", void c()", ""),
            ["breaking method-removed Base.c"],
        ),
        (
            "service S extends Base {} " + BASE,
            "service S extends Base {} " + BASE.replace("extends Root", ""),
            ["breaking extends-changed Base"],
        ),
        (
            "service S extends Base {} " + BASE,
            "service S extends Base {} " + BASE.replace("void b()", "i32 b(1: i32 x)"),
            ["compatible result-added Base.b", "compatible field-added Base.b(1: x)"],
        ),
    ],
)
def test_inheritance(old: str, new: str, expected: list[str]) -> None:
    assert diff(old, new) == expected


def test_methods_that_are_lost_with_a_base_are_named() -> None:
    (change,) = compare([load(BASE + "service S extends Base {}")], [load(BASE + "service S {}")])
    assert change.message == "no longer extends `Root`, `Base`, and loses `r`, `b`, `c`"


def test_what_no_method_uses_is_told_as_such() -> None:
    old = "struct T { 1: required i32 a } enum E { A = 1 } struct Gone {} const i32 C = 1 service S { void f() }"
    new = "struct T { 1: optional i64 a } enum E { A = 2 } struct New {} const i32 C = 2 service S { void f() }"
    changes = compare([load(old)], [load(new)])
    assert told(changes) == [
        "breaking type-changed api.T.a",
        "breaking required-changed api.T.a",
        "breaking enum-renumbered api.E.A",
        "compatible const-changed api.C",
        "compatible definition-removed api.Gone",
        "compatible definition-added api.New",
    ]
    assert [change.used for change in changes] == [False] * 3 + [True] * 3
    assert "; no method of both versions uses it" in str(changes[0])
    assert breaking([load(old)], [load(new)], ["S"]) == []


def test_a_use_decides_even_where_something_unused_leads_to_the_same() -> None:
    old = "struct T { 1: required i32 a } struct Unused { 1: T t } service S { void f(1: T t) }"
    new = old.replace("required", "optional")
    assert diff(old, new) == ["compatible required-changed api.T.a"]


def test_files_and_definitions_may_be_renamed_and_moved() -> None:
    struct, service = "struct T { 1: i32 a }", "service S { void f(1: %sT t) }"
    old = load(struct + service % "", "old")
    new = load('include "types.thrift" ' + service % "types.", "new", types=struct)
    assert compare([old], [new]) == []
    renamed = load("struct U { 1: i64 a } service S { void f(1: U t) }")
    assert told(compare([old], [renamed])) == ["breaking type-changed old.T.a", "compatible type-renamed old.T"]


def test_only_what_is_served_breaks_a_reload() -> None:
    old = load("struct T { 1: i32 a } service A { T f() } service B { void g(), i32 h() }")
    new = load("struct T { 1: i64 a } service A { T f() } service B { void g(1: i32 x) }")
    everything = [change for change in compare([old], [new]) if change.severity == "breaking"]
    assert told(everything) == ["breaking method-removed B.h", "breaking type-changed api.T.a"]
    assert breaking([old], [new], ["A", "B"]) == everything
    assert [str(change) for change in breaking([old], [new], ["B"])] == [str(everything[0])]
    assert breaking([old], [new], ["A"]) == everything[1:]
    assert told(breaking([old], [load("service A {}")], ["B"])) == ["breaking service-removed B"]
    assert breaking([old], [new], []) == breaking([old], [old], ["A", "B"]) == []


def test_an_included_service_can_be_served() -> None:
    def modules(type: str) -> list[Module]:
        text = 'include "lib.thrift" service Own {}'
        return [load(text, lib=f"service Lib {{ {type} f() }}"), load("service Second {}", "second")]

    assert told(breaking(modules("i32"), modules("i64"), ["Second", "Lib"])) == ["breaking type-changed Lib.f"]


def test_another_struct_is_compared_field_by_field() -> None:
    known = "struct A { 1: i32 x } struct B { 1: string x } "
    assert diff(known + "service S { A f() }", known + "service S { B f() }") == [
        "breaking type-changed api.A.x",
        "compatible type-renamed api.A",
    ]


def test_recursive_types() -> None:
    old = "struct A { 1: B b 2: list<A> more } struct B { 1: optional A a 2: i32 x } service S { A f(1: B b) }"
    assert diff(old, old) == []
    assert diff(old, old.replace("2: i32 x", "2: i64 x")) == ["breaking type-changed api.B.x"]
    unrolled = old.replace("list<A>", "list<C>") + " struct C { 1: B b 2: list<C> more }"
    assert diff(old, unrolled) == ["compatible type-renamed api.A"]


def test_depth_is_bounded_by_nothing() -> None:
    deep = 5_000
    nested = "service S {{ " + "list<" * deep + "{}" + ">" * deep + " f() }}"
    (change,) = compare([load(nested.format("i32"))], [load(nested.format("string"))])
    assert (change.rule, change.path) == (Rule.TYPE_CHANGED, "S.f")
    assert change.message.endswith(": `i32` and `string` are not the same on the wire")
    assert len(change.message) < 300
    chain = "".join(f"struct S{n} {{ 1: S{n + 1} next }}" for n in range(deep))
    chain += f"struct S{deep} {{ 1: i32 end }} service S {{ S0 f() }}"
    assert diff(chain, chain.replace("i32", "i64")) == [f"breaking type-changed api.S{deep}.end"]


def test_typedefs_that_double_are_looked_at_once() -> None:
    lines = ["typedef {} T0"] + [f"typedef map<T{n},T{n}> T{n + 1}" for n in range(14)]
    lines += [
        "struct Wide {{ " + " ".join(f"{n}: list<T14> f{n}" for n in range(1, 2000)) + " }} service S {{ Wide f() }}"
    ]
    text = " ".join(lines)
    assert diff(text.format("i32"), text.format("i32")) == []
    assert len(diff(text.format("i32"), text.format("i64"))) == 1999


def test_a_root_may_be_called_anything() -> None:
    def modules(type: str) -> list[Module]:
        library = f"struct T {{ 1: {type} x }}"
        text = 'include "root.thrift" service S { void f(1: root.T t) }'
        return [load(text, root=library), load("struct T { 1: bool x }", "second")]

    assert told(compare(modules("i32"), modules("i64"))) == ["breaking type-changed root.T.x"]


#: What an old client has, what the new server has, what is sent, and what must arrive for nothing to be lost.
SENT = [
    ("1: optional i32 a", "1: required i32 a", {}, {}),
    ("1: i32 a", "1: i32 a 2: required i32 b", {"a": 1}, {"a": 1}),
    ("1: required i32 a", "1: optional i32 a", {"a": 1}, {"a": 1}),
    ("1: required i32 a 2: i32 b", "2: i32 b", {"a": 1, "b": 2}, {"b": 2}),
    ("1: i32 a", "1: i64 a", {"a": 1}, {"a": 1}),
    ("1: bool a", "1: byte a", {"a": True}, {"a": 1}),
    ("1: i32 a", "2: i32 a", {"a": 1}, {"a": 1}),
    ("1: i32 a", "1: i32 b", {"a": 1}, {"b": 1}),
    ("1: E a", "1: i32 a", {"a": 1}, {"a": 1}),
    ("1: list<E> a", "1: list<i32> a", {"a": [1]}, {"a": [1]}),
    ("1: string a", "1: binary a", {"a": "x"}, {"a": b"x"}),
    ("1: list<i32> a", "1: set<i32> a", {"a": [1]}, {"a": {1}}),
    ("1: list<i32> a", "1: list<i64> a", {"a": [1]}, {"a": [1]}),
    ("1: map<i32,i32> a", "1: map<i32,string> a", {"a": {1: 1}}, {"a": {1: "1"}}),
]


@pytest.mark.parametrize(("old", "new", "sent", "meant"), SENT)
@pytest.mark.parametrize("kind", ["struct", "exception"])
def test_the_codec_agrees(kind: str, old: str, new: str, sent: dict[str, Any], meant: dict[str, Any]) -> None:
    """What breaks is refused or lost by the codec, and nothing else is."""
    text = "enum E {{ X = 1 }} {} T {{ {} }} service S {{ void f(1: T t) }}"
    before, after = (thriftserver.load("t.thrift", files={"t.thrift": text.format(kind, each)}) for each in (old, new))
    data = thriftserver.serialize(before.T(**sent))
    try:
        arrived = thriftserver.deserialize(after.T, data) == after.T(**meant)
    except WireError:
        arrived = False
    assert arrived is not bool(breaking([before.__thrift__], [after.__thrift__], ["S"]))


def test_a_line_has_both_places() -> None:
    old, new = load("service S {\n void f()\n i32 g()\n}"), load("\n\nservice S {\n\n i64 g()\n}")
    assert [str(change) for change in compare([old], [new])] == [
        "api.thrift:3: breaking: S.f: the method is gone (was api.thrift:2) [method-removed]",
        "api.thrift:5: breaking: S.g: the result: `i32` became `i64` (was api.thrift:3) [type-changed]",
    ]
    (gone,) = compare([old], [load("")])
    assert str(gone) == "api.thrift:1: breaking: S: the service is gone [service-removed]"


def test_every_rule_is_documented_and_no_other() -> None:
    text = (ROOT / "docs" / "idl.md").read_text(encoding="utf-8")
    assert sorted(
        re.findall(r"^\| `([a-z0-9]+-[a-z0-9-]+)` \| .*(?:breaking|compatible)", text, re.MULTILINE)
    ) == sorted(Rule)
