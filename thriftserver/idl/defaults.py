"""Defaults that contain themselves: a struct whose default value needs that same default again.

It looks at finished structs of one file only, as a cycle through includes is refused before.
"""

from __future__ import annotations

from typing import Any

from thriftserver.idl import ast
from thriftserver.idl.diagnostics import Report
from thriftserver.schema.model import ABSENT, Field, List, Literal, Map, Pairs, Set, Struct, Type


def check(structs: list[tuple[Struct, ast.Struct]], report: Report) -> None:
    """Reports each field whose default never ends; such a default is dropped."""
    done: set[int] = set()
    for struct, node in structs:
        names = {item.name.text: item.name for item in node.fields}
        for field in struct.fields:
            if id(field) not in done and _endless(field, done):
                name = names[field.name]
                message = f"the default of `{struct.name}.{field.name}` contains itself without end"
                report.error(name.at, name.end, message)
                field.default = ABSENT


def _endless(field: Field, done: set[int]) -> bool:
    """Whether the default of ``field`` needs a default that is still being looked at."""
    path = [(field, iter(_needed(field)))]
    active = {id(field)}
    while path:
        current, needed = path[-1]
        for other in needed:
            if id(other) in active:
                return True
            if id(other) not in done:
                active.add(id(other))
                path.append((other, iter(_needed(other))))
                break
        else:
            path.pop()
            active.discard(id(current))
            done.add(id(current))
    return False


def _needed(field: Field) -> list[Field]:
    """The fields whose defaults are part of this field's default: those that a struct literal within it leaves out."""
    found: list[Field] = []
    waiting: list[tuple[Any, Type]] = [(field.default, field.type)] if field.default is not ABSENT else []
    while waiting:
        value, type = waiting.pop()
        if isinstance(value, Literal) and isinstance(type, Struct):
            for part in type.fields:
                if part.name in value:
                    waiting.append((value[part.name], part.type))
                elif part.default is not ABSENT and type.kind != "union":
                    found.append(part)
        elif isinstance(value, Pairs) and isinstance(type, Map):
            for key, item in value:
                waiting += ((key, type.key), (item, type.value))
        elif isinstance(value, tuple) and isinstance(type, List | Set):
            waiting.extend((item, type.element) for item in value)
    return found
