"""What the dump does not show: doc comments, annotations, places, neutral values, types of any depth."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from thriftserver.idl.docs import clean
from thriftserver.idl.loader import Loader
from thriftserver.schema.model import ABSENT, I32, STRING, List, Literal, Map, Module, Pairs, Set, Struct


def load(text: str, **included: str) -> Module:
    files = {"m.thrift": text} | {f"{name}.thrift": body for name, body in included.items()}
    return Loader().load("m.thrift", files=files)


def test_doc_comments_are_kept_on_every_node() -> None:
    module = load(
        """
        /** The file. */
        namespace py x
        /** A constant. */ const i32 C = 1
        /**
         * A typedef,
         *   indented.
         */
        typedef i32 T
        /** An enum. */
        enum E {
          /** A member. */ A = 1,
          B
          /** Lost: nothing follows. */
        }
        // no doc
        /* no doc either */
        struct Plain { 1: i32 x }
        /** First. */ /** Second. */
        // in between
        struct S {
          /** By id. */
          1: i32 a
          /** By requiredness. */
          optional i32 b
          /** By type. */
          list<i32> c
        }
        /** A service. */
        service V {
          /** Oneway. */
          oneway void f(/** An argument. */ 1: i32 a)
          /** Returns. */
          map<i32, i32> g() throws (/** An exception. */ 1: X x)
        }
        /** An exception. */ exception X {}
        """
    )
    assert module.doc == "The file."
    assert module.consts["C"].doc == "A constant."
    assert module.typedefs["T"].doc == "A typedef,\n  indented."
    assert module.enums["E"].doc == "An enum."
    assert [member.doc for member in module.enums["E"].members] == ["A member.", ""]
    assert module.structs["Plain"].doc == ""
    assert module.structs["S"].doc == "Second."
    assert [field.doc for field in module.structs["S"].fields] == ["By id.", "By requiredness.", "By type."]
    service = module.services["V"]
    assert service.doc == "A service."
    assert [function.doc for function in service.functions] == ["Oneway.", "Returns."]
    assert service.functions[0].args[0].doc == "An argument."
    assert service.functions[1].throws[0].doc == "An exception."
    assert module.structs["X"].doc == "An exception."


@pytest.mark.parametrize(
    ("comment", "text"),
    [
        ("/** one line */", "one line"),
        ("/***/", ""),
        ("/** */", ""),
        ("/**\n * a\n * b\n */", "a\nb"),
        ("/**\n * a\n *\n *   code\n * b\n */", "a\n\n  code\nb"),
        ("/**\r\n * a\r\n * b\r\n */", "a\nb"),
        ("/**\n   a\n     b\n   c\n*/", "a\n  b\nc"),
        ("/** first\n * second */", "first\nsecond"),
        ("/**\n\t * tab\n\t * stop\n\t */", "tab\nstop"),
        ("/**\n * * item\n * * item\n */", "* item\n* item"),
        ("/**********\n * boxed\n **********/", "boxed"),
    ],
)
def test_doc_comments_lose_their_markers(comment: str, text: str) -> None:
    assert clean(comment) == text


def test_annotations_are_kept_on_what_has_a_name() -> None:
    module = load(
        """
        typedef i32 T (a = "1", b)
        enum E { A (old), B = 2 (x = 'y') } (c)
        struct S { 1: i32 f (d = "\\"q\\""; e) } (g.h = "i")
        service V { void f(1: i32 a (j)) (k), } (l)
        """
    )
    assert module.typedefs["T"].annotations == {"a": "1", "b": "1"}
    assert [member.annotations for member in module.enums["E"].members] == [{"old": "1"}, {"x": "y"}]
    assert module.enums["E"].annotations == {"c": "1"}
    assert module.structs["S"].fields[0].annotations == {"d": '"q"', "e": "1"}
    assert module.structs["S"].annotations == {"g.h": "i"}
    service = module.services["V"]
    assert service.annotations == {"l": "1"}
    assert service.functions[0].annotations == {"k": "1"}
    assert service.functions[0].args[0].annotations == {"j": "1"}


def test_places_are_those_of_the_names() -> None:
    module = load("struct A {\r\n  1: i32 x\r\n\t2: i32 y\r\n}\r\n\r\nservice S { void f() }\nenum E {\n A }")
    assert module.structs["A"].where == ("m.thrift", 1, 8)
    assert [field.where[1:] for field in module.structs["A"].fields] == [(2, 10), (3, 9)]
    assert module.services["S"].functions[0].where[1:] == (6, 18)
    assert module.enums["E"].members[0].where[1:] == (8, 2)
    assert str(module.structs["A"].where) == "m.thrift:1:8"


VALUES: list[tuple[str, str, Any]] = [
    ("bool", "1", True),
    ("i8", "-0x80", -128),
    ("double", "3", 3.0),
    ("string", "'a\\tb'", "a\tb"),
    ("binary", '"ä"', "ä".encode()),
    ("uuid", '"01234567-89ab-cdef-0123-456789abcdef"', uuid.UUID("01234567-89ab-cdef-0123-456789abcdef")),
    ("E", "E.B", 2),
    ("list<i32>", "[2, 1, 2]", (2, 1, 2)),
    ("set<i32>", "[2, 1, 2]", (2, 1)),
    ("map<string, i32>", '{"a": 1, "b": 2, "a": 3}', Pairs({"a": 3, "b": 2}.items())),
    ("S", '{"x": 4}', Literal(x=4)),
    ("list<S>", "[{}]", (Literal(),)),
    ("map<S, set<E>>", '{{"x": 1}: [E.A, 2]}', Pairs([(Literal(x=1), (1, 2))])),
]


@pytest.mark.parametrize(("type", "literal", "value"), VALUES)
def test_values_are_neutral(type: str, literal: str, value: Any) -> None:
    module = load(f"enum E {{ A = 1, B = 2 }} struct S {{ 1: i32 x = 9 }} const {type} C = {literal}")
    found = module.consts["C"].value
    assert found == value
    assert found.__class__ is value.__class__


def test_a_default_is_a_value_or_absent() -> None:
    fields = load("struct S { 1: i32 a = 0, 2: i32 b, 3: string c = '' }").structs["S"].fields
    assert [field.default for field in fields] == [0, ABSENT, ""]


def test_types_may_be_nested_thousands_deep() -> None:
    depth = 5_000
    field = "list<" * depth + "i32" + ">" * depth
    a, b = load(f"struct A {{ 1: {field} x, 2: {field} y }}").structs["A"].fields
    assert a.type is not b.type
    assert a.type == b.type
    assert hash(a.type) == hash(b.type)
    assert str(a.type) == field


def test_types_are_equal_when_they_are_built_alike() -> None:
    struct = load("struct A {}").structs["A"]
    assert isinstance(struct, Struct)
    assert List(I32) == List(I32)
    assert List(I32) != Set(I32)
    assert List(I32) != I32
    assert List(I32) != I32
    assert Map(STRING, List(struct)) == Map(STRING, List(struct))
    assert Map(STRING, I32) != Map(I32, STRING)
    assert str(Map(STRING, List(struct))) == "map<string,list<m.A>>"
