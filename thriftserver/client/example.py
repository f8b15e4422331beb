"""An example of each type, as the JSON that ``thriftserver call`` reads: what a person edits into a first request."""

from __future__ import annotations

from typing import Any

from thriftserver.codec.plain import to_plain
from thriftserver.schema.classes import materialize
from thriftserver.schema.model import ABSENT, Enum, Field, Function, List, Map, Set, Struct, Type

#: Structs within structs that are filled in; deeper ones get only the fields they must have.
DEPTH = 3
#: Values in one example; what comes after is left out where it may be.
SIZE = 60
#: Structs within structs after which there is no example: a type that requires itself has no finite value.
ENDLESS = 12

_BASES = {"bool": True, "double": 1.5, "string": "text", "binary": "Ynl0ZXM="}
_UUID = "12345678-1234-5678-1234-567812345678"


class _NoExample(Exception):
    """The type has no example of a reasonable size."""


def example_arguments(function: Function) -> dict[str, Any] | None:
    """Arguments by name, or None where no small example exists."""
    builder = _Builder()
    try:
        return {arg.name: builder.field(arg, 0) for arg in function.args}
    except _NoExample:
        return None


class _Builder:
    def __init__(self) -> None:
        self._left = SIZE
        self._open: list[Struct] = []

    def field(self, field: Field, depth: int) -> Any:
        if field.default is not ABSENT:
            return to_plain(field.type, materialize(field.type, field.default))
        return self.value(field.type, depth)

    def value(self, type: Type, depth: int) -> Any:
        self._left -= 1
        match type:
            case List(element=element) | Set(element=element):
                return self._items(lambda: [self.value(element, depth + 1)], depth)
            case Map(key=key, value=value):
                pair = self._items(lambda: [[self.value(key, depth + 1), self.value(value, depth + 1)]], depth)
                return {_text(pair[0][0]): pair[0][1]} if pair and not isinstance(pair[0][0], list | dict) else pair
            case Enum(members=members):
                return members[0].name if members else 0
            case Struct():
                return self._struct(type, depth)
        return _BASES.get(type.name, _UUID if type.name == "uuid" else 1)

    def _items(self, make: Any, depth: int) -> list[Any]:
        """One item; none where that would go too deep."""
        if depth > DEPTH or self._left < 0:
            return []
        return list(make())

    def _struct(self, struct: Struct, depth: int) -> dict[str, Any]:
        if len(self._open) > ENDLESS:
            raise _NoExample
        small = depth > DEPTH or self._left < 0 or struct in self._open
        self._open.append(struct)
        try:
            if struct.kind == "union":
                return self._union(struct, depth)
            return {
                field.name: self.field(field, depth + 1)
                for field in struct.fields
                if field.required or not (small or (field.required is False and depth > 1))
            }
        finally:
            self._open.pop()

    def _union(self, union: Struct, depth: int) -> dict[str, Any]:
        """The first member that has an example."""
        for field in union.fields:
            if field.type not in self._open:
                return {field.name: self.value(field.type, depth + 1)}
        raise _NoExample


def _text(key: Any) -> str:
    return key if isinstance(key, str) else ("true" if key else "false") if isinstance(key, bool) else repr(key)
