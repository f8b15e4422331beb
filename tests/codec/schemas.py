"""Schemas for the codec's tests, built by hand: the rooms under test know no IDL text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from thriftserver.schema import model
from thriftserver.schema.classes import class_of

WHERE = model.Where("/tests/codec/schemas.thrift", 1, 1)
_NAMED: dict[str, Any] = {"module": "schemas", "where": WHERE}


def field(
    id: int,
    name: str,
    type: model.Type,
    required: bool | None = None,
    default: Any = model.ABSENT,
    doc: str = "",
) -> model.Field:
    return model.Field(id=id, name=name, type=type, required=required, default=default, doc=doc, **_NAMED)


def struct(name: str, *fields: model.Field, kind: str = "struct", doc: str = "") -> model.Struct:
    return model.Struct(name=name, kind=kind, fields=tuple(fields), doc=doc, **_NAMED)


def enum(name: str, /, doc: str = "", **members: int) -> model.Enum:
    made = tuple(model.Member(name=key, value=value, **_NAMED) for key, value in members.items())
    return model.Enum(name=name, members=made, doc=doc, **_NAMED)


def function(
    name: str,
    returns: model.Type | None,
    args: Iterable[model.Field] = (),
    throws: Iterable[model.Field] = (),
    oneway: bool = False,
) -> model.Function:
    return model.Function(
        name=name, service="Test", returns=returns, args=tuple(args), throws=tuple(throws), oneway=oneway, **_NAMED
    )


ROLE = enum("Role", "What somebody may do.", GUEST=0, MEMBER=1, ADMIN=7)
POINT = struct("Point", field(1, "x", model.I32), field(2, "y", model.I32))
SHAPE = struct(
    "Shape",
    field(1, "circle", model.DOUBLE),
    field(2, "label", model.STRING),
    field(3, "corners", model.List(POINT)),
    kind="union",
)
NOT_FOUND = struct(
    "NotFound",
    field(1, "message", model.STRING),
    field(2, "code", model.I32, default=404),
    field(3, "hints", model.List(model.STRING), default=("look",)),
    kind="exception",
    doc="Nothing is called that.",
)

#: Every type that Thrift has, in a struct of ids that are not in the order of declaration.
ALL = struct(
    "All",
    field(1, "flag", model.BOOL),
    field(2, "tiny", model.I8),
    field(3, "small", model.I16),
    field(4, "whole", model.I32),
    field(5, "large", model.I64),
    field(6, "real", model.DOUBLE),
    field(7, "text", model.STRING),
    field(8, "data", model.BINARY),
    field(9, "mark", model.UUID),
    field(10, "role", ROLE),
    field(20, "point", POINT),
    field(19, "shape", SHAPE),
    field(18, "names", model.List(model.STRING)),
    field(17, "numbers", model.Set(model.I64)),
    field(16, "counts", model.Map(model.STRING, model.I32)),
    field(15, "nested", model.Map(model.I32, model.List(model.Set(model.STRING)))),
    field(14, "by_point", model.Map(POINT, model.DOUBLE)),
    field(13, "by_list", model.Map(model.List(model.I32), model.Map(model.BOOL, model.BINARY))),
    field(12, "keyed", model.Set(model.Map(model.STRING, model.Set(model.I8)))),
    field(11, "from", model.STRING),
)

#: A struct that holds itself, in every way that makes sense.
TREE = struct("Tree")
TREE.fields = (
    field(1, "value", model.I32),
    field(2, "left", TREE),
    field(3, "children", model.List(TREE)),
    field(4, "named", model.Map(model.STRING, TREE)),
)

STRICT = struct(
    "Strict",
    field(1, "id", model.I32, required=True),
    field(2, "tags", model.List(model.STRING), default=("a", "b")),
    field(3, "size", model.I64, default=5),
    field(4, "where", POINT, default=model.Literal(x=3)),
    field(5, "role", ROLE, default=7),
    field(6, "seen", model.Set(model.I32), default=(1, 2)),
    field(7, "known", model.Map(model.STRING, model.I32), default=model.Pairs((("a", 1),))),
)


def all_values() -> Any:
    """An instance of ALL with every field set."""
    import uuid

    from thriftserver.schema.frozen import FrozenMap

    point, shape = class_of(POINT), class_of(SHAPE)
    return class_of(ALL)(
        **{
            "flag": True,
            "tiny": -128,
            "small": 32767,
            "whole": -(2**31),
            "large": 2**63 - 1,
            "real": 0.1,
            "text": "Zürich \U0001f600",
            "data": bytes(range(256)),
            "mark": uuid.UUID("12345678-1234-5678-1234-567812345678"),
            "role": 7,
            "point": point(1, 2),
            "shape": shape(corners=[point(3), point(y=4)]),
            "names": ["", "a", "b" * 300],
            "numbers": {1, -1, 2**40},
            "counts": {"one": 1, "two": 2},
            "nested": {1: [{"x"}, set()], -1: []},
            "by_point": {point(1, 1): 1.5, point(): float("inf")},
            "by_list": {(1, 2): {True: b"\0"}, (): {}},
            "keyed": {FrozenMap({"k": frozenset({1, 2})})},
            "from": "keyword",
        }
    )
