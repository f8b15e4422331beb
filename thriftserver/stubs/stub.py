"""The text of a stub: one resolved IDL file as a type checker is to see it. Docs of the IDL are doc strings."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Final

from thriftserver.schema.classes import ThriftEnum, enum_of
from thriftserver.schema.model import ABSENT, Base, Enum, Field, Module, Struct
from thriftserver.schema.names import alias
from thriftserver.stubs.annotations import read
from thriftserver.stubs.names import Names, members
from thriftserver.stubs.services import receiver, service_lines
from thriftserver.stubs.text import block, docstring, function

#: Names of the IDL's that Python's own classes have for something else are no mistake of anybody's.
_SETTINGS: Final = (
    '# mypy: disable-error-code="assignment, override, misc"',
    "# pyright: reportIncompatibleVariableOverride=false, reportIncompatibleMethodOverride=false",
    "# pyright: reportPrivateUsage=false, reportOverlappingOverload=false",
)

_ENUM_ATTRIBUTES: Final = frozenset(name for base in ThriftEnum.__mro__ for name in vars(base))

#: Characters of a default that is worth showing.
_SHOWN: Final = 60


def stub(module: Module, names: Names) -> str:
    """The stub of one file."""
    parts = [
        *(_enum(enum, names) for enum in module.enums.values()),
        *(_STRUCTS[struct.kind](struct, names) for struct in module.structs.values()),
        *_typedefs(module, names),
        [f"{names.own[const]}: {names['Final']}[{read(const.type, names)}]" for const in module.consts.values()],
        *(service_lines(service, names) for service in module.services.values()),
        names.second_names(),
    ]
    head = [*_SETTINGS, *docstring(module.doc), *names.imports()]
    return "\n\n".join("\n".join(part) for part in (head, *parts) if part) + "\n"


def _typedefs(module: Module, names: Names) -> Iterator[list[str]]:
    for typedef in module.typedefs.values():
        if typedef in names.own:
            yield [f"{names.own[typedef]} = {read(typedef.type, names)}"]


def _enum(enum: Enum, names: Names) -> list[str]:
    known = enum_of(enum).__members__
    docs = dict(zip(known, enum.members, strict=True))
    body = docstring(enum.doc)
    for name, member in known.items():
        other = alias(name)
        if not other or other not in known:
            # Python lets a member have the name of an attribute of int or Enum; pyright does not expect that.
            note = "  # pyright: ignore[reportAssignmentType]" if name in _ENUM_ATTRIBUTES else ""
            body += [f"{other or name} = {int(member)}{note}", *docstring(docs[name].doc)]
    return block(f"class {names.own[enum]}({names['ThriftEnum']}):", body)


def _default(field: Field) -> str:
    """What a field has that is not given, as far as it is short."""
    value = field.default
    if value is ABSENT:
        return "None"
    plain = isinstance(field.type, Base) and isinstance(value, bool | int | float | str | bytes)
    if plain and not (isinstance(value, float) and not isfinite(value)) and len(repr(value)) <= _SHOWN:
        return repr(value)
    return "..."


def _annotation(field: Field, names: Names) -> str:
    """What a field holds. None is for what may be unset: a default is filled in, and what is required must be there."""
    type = read(field.type, names)
    return type if field.required or field.default is not ABSENT else f"{type} | None"


def _must_be_given(field: Field) -> bool:
    return field.required is True and field.default is ABSENT


def _parameters(struct: Struct, names: Names) -> list[str]:
    """Those of a constructor. What must be given cannot stand by position behind what need not be."""
    written = members(struct)
    found = receiver(written.values())
    optional = False
    for field in struct.fields:
        given = f"{written[field.name]}: {_annotation(field, names)}"
        if not _must_be_given(field):
            optional = True
            given += f" = {_default(field)}"
        elif optional and "*" not in found:
            found.append("*")
        found.append(given)
    return found


def _fields(struct: Struct, names: Names, defaults: bool) -> list[str]:
    written = members(struct)
    lines: list[str] = []
    for field in struct.fields:
        given = "" if not defaults or _must_be_given(field) else f" = {_default(field)}"
        lines += [f"{written[field.name]}: {_annotation(field, names)}{given}", *docstring(field.doc)]
    return lines


def _match_args(struct: Struct) -> list[str]:
    return [f"__match_args__ = {tuple(members(struct))!r}"]


def _struct(struct: Struct, names: Names) -> list[str]:
    """A dataclass to type checkers, with a constructor of its own only where the order of its fields needs one."""
    parameters = _parameters(struct, names)
    body = [*docstring(struct.doc), *_fields(struct, names, True)]
    bases = names["ThriftStruct"]
    if "*" in parameters:
        body += function("def __init__", parameters, "None")
        bases += ", kw_only=True"
    return block(f"class {names.own[struct]}({bases}):", body)


def _exception(struct: Struct, names: Names) -> list[str]:
    body = [*docstring(struct.doc), *_fields(struct, names, False), *_match_args(struct)]
    body += function("def __init__", _parameters(struct, names), "None")
    return block(f"class {names.own[struct]}({names['ThriftException']}):", body)


def _union(struct: Struct, names: Names) -> list[str]:
    """Each member has a signature of its own, so that nobody gives two; the first one may go without its name."""
    written = members(struct)
    body = [*docstring(struct.doc), *_fields(struct, names, False), *_match_args(struct)]
    which = f"{names['Literal']}[{', '.join(map(repr, written))}] | None" if written else "None"
    body.append(f"__which__: {which}")
    first = receiver(written.values())
    signatures = [first]
    for field in struct.fields:
        given = f"{written[field.name]}: {read(field.type, names)} | None"
        signatures.append([*first, *([] if len(signatures) == 1 else ["*"]), given])
    for signature in signatures:
        body += [f"@{names['overload']}"] if len(signatures) > 1 else []
        body += function("def __init__", signature, "None")
    return block(f"class {names.own[struct]}({names['ThriftUnion']}):", body)


_STRUCTS: Final = {"struct": _struct, "exception": _exception, "union": _union}
