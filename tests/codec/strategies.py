"""Random schemas and values for Hypothesis: any type that Thrift can say, values that fit it."""

from __future__ import annotations

import itertools
from functools import partial
from typing import Any

from hypothesis import strategies as st

from tests.codec.schemas import enum, field, struct
from thriftserver.schema import model
from thriftserver.schema.classes import class_of, enum_of
from thriftserver.schema.frozen import FrozenMap

_counter = itertools.count()

_INTEGERS = {"i8": 8, "i16": 16, "i32": 32, "i64": 64}


@st.composite
def enums(draw: Any) -> model.Enum:
    numbers = draw(st.lists(st.integers(-5, 300), min_size=1, max_size=5))
    return enum(f"Enum{next(_counter)}", **{f"M{index}": number for index, number in enumerate(numbers)})


@st.composite
def structs(draw: Any, types: Any, kind: str | None = None, least: int = -32768, most: int = 32767) -> model.Struct:
    kind = kind or draw(st.sampled_from(("struct", "struct", "struct", "union", "exception")))
    ids = draw(st.lists(st.integers(least, most), min_size=1 if kind == "union" else 0, max_size=6, unique=True))
    fields = []
    for index, id in enumerate(ids):
        required = (
            draw(st.sampled_from((None, False))) if kind != "struct" else draw(st.sampled_from((None, False, True)))
        )
        fields.append(field(id, f"f{index}", draw(types), required))
    return struct(f"Struct{next(_counter)}", *fields, kind=kind)


def types() -> st.SearchStrategy[Any]:
    base = (
        st.sampled_from(
            [
                model.BOOL,
                model.I8,
                model.I16,
                model.I32,
                model.I64,
                model.DOUBLE,
                model.STRING,
                model.BINARY,
                model.UUID,
            ]
        )
        | enums()
    )
    return st.recursive(
        base,
        lambda inner: st.one_of(
            st.builds(model.List, inner),
            st.builds(model.Set, inner),
            st.builds(model.Map, inner, inner),
            structs(inner),
        ),
        max_leaves=8,
    )


def values(type: Any, frozen: bool = False) -> st.SearchStrategy[Any]:
    """Values as the codec decodes them."""
    if isinstance(type, model.Base):
        return _base(type.name)
    if isinstance(type, model.Enum):
        members = enum_of(type)._value2member_map_
        return st.one_of(st.sampled_from(list(members)), st.integers(-(2**31), 2**31 - 1)).map(
            lambda number: members.get(number, number)
        )
    if isinstance(type, model.List):
        items = st.lists(values(type.element, frozen), max_size=4)
        return items.map(tuple) if frozen else items
    if isinstance(type, model.Set):
        return st.lists(values(type.element, True), max_size=4).map(frozenset if frozen else set)
    if isinstance(type, model.Map):
        pairs = st.lists(st.tuples(values(type.key, True), values(type.value, frozen)), max_size=4).map(dict)
        return pairs.map(FrozenMap) if frozen else pairs
    return _structs(type, frozen)


def _base(name: str) -> st.SearchStrategy[Any]:
    if name in _INTEGERS:
        bits = _INTEGERS[name] - 1
        return st.integers(-(1 << bits), (1 << bits) - 1)
    return {
        "bool": st.booleans(),
        "double": st.floats(allow_nan=False),
        "string": st.text(st.characters(exclude_categories=("Cs",)), max_size=40),
        "binary": st.binary(max_size=40),
        "uuid": st.uuids(),
    }[name]


def _hold(cls: type, name: str, value: Any) -> Any:
    return cls(**{name: value})


def _structs(type: model.Struct, frozen: bool) -> st.SearchStrategy[Any]:
    cls = class_of(type)
    if type.kind == "union":
        return st.one_of([values(field.type, frozen).map(partial(_hold, cls, field.name)) for field in type.fields])
    parts = {}
    for each in type.fields:
        inner = values(each.type, frozen)
        parts[each.name] = inner if each.required else st.none() | inner
    return st.fixed_dictionaries(parts).map(lambda fields: cls(**fields))
