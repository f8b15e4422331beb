"""Definitions of an IDL as JSON data: doc comments, annotations, types as whoever reads it wants them.

What must not be shown is marked as ``redacted``, and has no default.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from thriftserver.client.example import example_arguments
from thriftserver.codec.plain import to_plain
from thriftserver.schema.classes import materialize
from thriftserver.schema.model import (
    ABSENT,
    Const,
    Container,
    Definition,
    Enum,
    Field,
    Function,
    Service,
    Struct,
    Type,
    Typedef,
)

#: Pieces of one type that are shown; typedefs within typedefs can make a type grow without bound.
PIECES = 100


def pieces(type: Type | None) -> list[str | Definition]:
    """A type as texts and the definitions that it names, at most about ``PIECES`` of them."""
    if type is None:
        return ["void"]
    written: list[Any] = []
    waiting: list[Any] = [type]
    while waiting:
        item = waiting.pop()
        if len(written) >= PIECES:
            written.append("...")
            break
        if isinstance(item, Container):
            waiting.append(">")
            for part in reversed(item.parts()):
                waiting += (part, ", ")
            waiting[-1] = f"{item.__class__.__name__.lower()}<"
        else:
            written.append(item if isinstance(item, Definition) else str(item))
    return written


class Data:
    """Writes definitions; ``type`` writes types (None is void)."""

    def __init__(self, type: Callable[[Type | None], Any]) -> None:
        self._type = type

    def of(self, each: Definition) -> dict[str, Any]:
        """Any definition. A service is written with the methods that it inherits."""
        match each:
            case Service():
                return self.service(each, inherited=True)
            case Function():
                return {"ref": str(each), **self.function(each), "kind": "method"}
            case Struct():
                return self.struct(each)
            case Enum():
                return self.enum(each)
            case Typedef():
                return self.typedef(each)
            case Const():
                return self.const(each)
        raise TypeError(f"{type(each).__name__} stands in no file by itself")

    def service(self, service: Service, inherited: bool) -> dict[str, Any]:
        return {
            **_definition(service),
            "kind": "service",
            "extends": str(service.extends) if service.extends else None,
            "functions": [self.function(each) for each in (service.methods() if inherited else service.functions)],
        }

    def function(self, function: Function) -> dict[str, Any]:
        return {
            "name": function.name,
            "from": function.service,
            "doc": function.doc,
            "annotations": function.annotations,
            "oneway": function.oneway,
            "returns": self._type(function.returns),
            "args": [self.field(each) for each in function.args],
            "throws": [self.field(each) for each in function.throws],
            "example": example_arguments(function),
        }

    def field(self, field: Field) -> dict[str, Any]:
        known = field.default is not ABSENT and not field.redacted
        return {
            "id": field.id,
            "name": field.name,
            "doc": field.doc,
            "required": field.required,
            "type": self._type(field.type),
            "default": _value(field.type, field.default) if known else None,
            "annotations": field.annotations,
            "redacted": field.redacted,
        }

    def struct(self, struct: Struct) -> dict[str, Any]:
        return {**_definition(struct), "kind": struct.kind, "fields": [self.field(each) for each in struct.fields]}

    def enum(self, enum: Enum) -> dict[str, Any]:
        members = [{"name": each.name, "value": each.value, "doc": each.doc} for each in enum.members]
        return {**_definition(enum), "kind": "enum", "members": members}

    def typedef(self, typedef: Typedef) -> dict[str, Any]:
        return {**_definition(typedef), "kind": "typedef", "type": self._type(typedef.type)}

    def const(self, const: Const) -> dict[str, Any]:
        return {
            **_definition(const),
            "kind": "const",
            "type": self._type(const.type),
            "value": _value(const.type, const.value),
        }


def _definition(each: Definition) -> dict[str, Any]:
    return {
        "ref": str(each),
        "name": each.name,
        "module": each.module,
        "doc": each.doc,
        "annotations": each.annotations,
        "redacted": each.redacted,
    }


def _value(type: Type, value: Any) -> Any:
    return to_plain(type, materialize(type, value))
