"""The IDL in force as JSON data for the page: doc comments, types as texts with links, and an example of each call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from thriftserver.admin.example import example_arguments
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
    Module,
    Service,
    Struct,
    Type,
)

#: Pieces of one type that are shown; typedefs within typedefs can make a type grow without bound.
PIECES = 100


def describe(modules: Sequence[Module], served: Sequence[Service]) -> dict[str, Any]:
    """Every service, type and constant of the IDL and of all it includes; ``served`` services come first."""
    every = {id(module): module for root in modules for module in root.tree()}
    services = [*served, *(each for module in every.values() for each in module.services.values())]
    return {
        "modules": [{"name": module.name, "doc": module.doc} for module in every.values()],
        "services": [
            _service(each, each in served) | (_call(each, modules, served) if each in served else {})
            for each in _once(services)
        ],
        "types": [
            *(_struct(each) for module in every.values() for each in module.structs.values()),
            *(_enum(each) for module in every.values() for each in module.enums.values()),
            *(
                {**_definition(each), "kind": "typedef", "type": pieces(each.type)}
                for module in every.values()
                for each in module.typedefs.values()
            ),
        ],
        "constants": [_const(each) for module in every.values() for each in module.consts.values()],
    }


def pieces(type: Type | None) -> list[Any]:
    """A type as a list of texts and of ``{"ref": "module.Name"}`` for what the page can link."""
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
            written.append({"ref": str(item)} if isinstance(item, Definition) else str(item))
    return written


def _once(services: Iterable[Service]) -> list[Service]:
    return list({id(each): each for each in services}.values())


def _definition(each: Definition) -> dict[str, Any]:
    return {
        "ref": str(each),
        "name": each.name,
        "module": each.module,
        "doc": each.doc,
        "annotations": each.annotations,
    }


def _service(service: Service, served: bool) -> dict[str, Any]:
    return {
        **_definition(service),
        "served": served,
        "extends": str(service.extends) if service.extends else None,
        "functions": [_function(each) for each in (service.methods() if served else service.functions)],
    }


def _call(service: Service, modules: Sequence[Module], served: Sequence[Service]) -> dict[str, Any]:
    """How a command names its methods, and which of the files has it: the first service has all bare names."""
    file = next((i for i, root in enumerate(modules) for each in root.tree() if service in each.services.values()), 0)
    return {"call": f"{service.name}{'.' if service is served[0] else ':'}", "file": file}


def _function(function: Function) -> dict[str, Any]:
    return {
        "name": function.name,
        "from": function.service,
        "doc": function.doc,
        "annotations": function.annotations,
        "oneway": function.oneway,
        "returns": pieces(function.returns),
        "args": [_field(each) for each in function.args],
        "throws": [_field(each) for each in function.throws],
        "example": example_arguments(function),
    }


def _field(field: Field) -> dict[str, Any]:
    return {
        "id": field.id,
        "name": field.name,
        "doc": field.doc,
        "required": field.required,
        "type": pieces(field.type),
        "default": None if field.default is ABSENT else _value(field.type, field.default),
        "annotations": field.annotations,
    }


def _value(type: Type, value: Any) -> Any:
    return to_plain(type, materialize(type, value))


def _struct(struct: Struct) -> dict[str, Any]:
    return {**_definition(struct), "kind": struct.kind, "fields": [_field(each) for each in struct.fields]}


def _enum(enum: Enum) -> dict[str, Any]:
    members = [{"name": each.name, "value": each.value, "doc": each.doc} for each in enum.members]
    return {**_definition(enum), "kind": "enum", "members": members}


def _const(const: Const) -> dict[str, Any]:
    return {**_definition(const), "type": pieces(const.type), "value": _value(const.type, const.value)}
