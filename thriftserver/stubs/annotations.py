"""Thrift types as Python annotations: of what is read, and of all that may be given. docs/codec.md has both columns."""

from __future__ import annotations

from typing import Final

from thriftserver.schema.model import Base, Container, Enum, List, Map, Set, Struct, Type
from thriftserver.stubs.names import Names

_BASES: Final = {
    "bool": "bool",
    "i8": "int",
    "i16": "int",
    "i32": "int",
    "i64": "int",
    "double": "float",
    "string": "str",
    "binary": "bytes",
    "uuid": "UUID",
}

#: What stands for a list, a set and a map.
_READ: Final = ("list", "set", "dict")
_ACCEPTED: Final = ("Sequence", "AbstractSet", "Mapping")

#: Parts of a type that are spelled out. Typedefs of typedefs may have millions, and Python nests 200 brackets at most.
_PARTS: Final = 100


def read(type: Type, names: Names) -> str:
    """What a value is that arrives, stands in a field or is a constant."""
    return _annotation(type, names, _READ)


def accepted(type: Type, names: Names) -> str:
    """What may be sent: any sequence for a list, and likewise for sets, maps and bytes."""
    return _annotation(type, names, _ACCEPTED)


def _annotation(type: Type, names: Names, kinds: tuple[str, str, str]) -> str:
    match type:
        case Base(name="binary") if kinds is _ACCEPTED:
            return f"{names['bytes']} | {names['bytearray']} | {names['memoryview']}"
        case Base(name=name):
            return names[_BASES[name]]
        case Enum() | Struct():
            return names.of(type)
        case Container() if type.size > _PARTS:
            return names["Any"]
        case List(element=element):
            return f"{names[kinds[0]]}[{_annotation(element, names, kinds)}]"
        case Set(element=element):
            return f"{names[kinds[1]]}[{_key(element, names)}]"
        case Map(key=key, value=value):
            return f"{names[kinds[2]]}[{_key(key, names)}, {_annotation(value, names, kinds)}]"
    raise AssertionError(type)


def _key(type: Type, names: Names) -> str:
    """A key of a map or a member of a set, which has a hash."""
    match type:
        case List(element=element):
            return f"{names['tuple']}[{_key(element, names)}, ...]"
        case Set(element=element):
            return f"{names['frozenset']}[{_key(element, names)}]"
        case Map(key=key, value=value):
            return f"{names['Mapping']}[{_key(key, names)}, {_key(value, names)}]"
        case _:
            return _annotation(type, names, _READ)
