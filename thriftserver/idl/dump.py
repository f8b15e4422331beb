"""A module as plain JSON data, in the neutral format that ``docs/idl.md`` describes.

It reads finished schema objects only, and writes no files.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

from thriftserver.schema.model import (
    ABSENT,
    Enum,
    Field,
    Function,
    List,
    Literal,
    Map,
    Module,
    Pairs,
    Service,
    Set,
    Struct,
    Type,
)


def dump(module: Module) -> dict[str, Any]:
    """What the file itself defines, and nothing of what it includes."""
    return {
        "module": module.name,
        "namespaces": dict(module.namespaces),
        "includes": [included.name for included in module.includes],
        "enums": {name: _enum(enum) for name, enum in module.enums.items()},
        "typedefs": {name: str(typedef.type) for name, typedef in module.typedefs.items()},
        "structs": {name: _struct(struct) for name, struct in module.structs.items()},
        "consts": {
            name: {"type": str(const.type), "value": _value(const.value, const.type)}
            for name, const in module.consts.items()
        },
        "services": {name: _service(service) for name, service in module.services.items()},
    }


def _enum(enum: Enum) -> dict[str, int]:
    return {member.name: member.value for member in enum.members}


def _struct(struct: Struct) -> dict[str, Any]:
    return {"kind": struct.kind, "fields": [_field(field) for field in struct.fields]}


_REQUIREDNESS = {True: "required", False: "optional", None: "default"}


def _field(field: Field) -> dict[str, Any]:
    dumped = {
        "id": field.id,
        "name": field.name,
        "req": _REQUIREDNESS[field.required],
        "type": str(field.type),
    }
    if field.default is not ABSENT:
        dumped["default"] = _value(field.default, field.type)
    return dumped


def _service(service: Service) -> dict[str, Any]:
    return {
        "extends": str(service.extends) if service.extends else None,
        "functions": [_function(function) for function in service.functions],
    }


def _function(function: Function) -> dict[str, Any]:
    return {
        "name": function.name,
        "oneway": function.oneway,
        "returns": str(function.returns) if function.returns else "void",
        "args": [_field(field) for field in function.args],
        "throws": [_field(field) for field in function.throws],
    }


def _value(value: Any, type: Type) -> Any:
    if isinstance(type, Struct) and isinstance(value, Literal):
        return _literal(value, type)
    if isinstance(type, Map) and isinstance(value, Pairs):
        return _sorted_pairs(value, type)
    if isinstance(type, Set):
        return sorted((_value(item, type.element) for item in value), key=_sort_key)
    if isinstance(type, List):
        return [_value(item, type.element) for item in value]
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, uuid.UUID):
        return str(value)
    return value


def _sorted_pairs(value: Pairs, type: Map) -> list[list[Any]]:
    pairs = [[_value(key, type.key), _value(item, type.value)] for key, item in value]
    return sorted(pairs, key=lambda pair: _sort_key(pair[0]))


def _literal(value: Literal, struct: Struct) -> dict[str, Any]:
    """The effective value: what the literal gives, and the defaults of the fields it leaves out."""
    dumped = {}
    for field in struct.fields:
        if field.name in value:
            dumped[field.name] = _value(value[field.name], field.type)
        elif field.default is not ABSENT and struct.kind != "union":
            dumped[field.name] = _value(field.default, field.type)
    return dumped


def _sort_key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
