"""Values as plain data that JSON can hold, for people, and back: driven by the schema like the bytes are.

Nothing here knows bytes or files; problems are ``EncodeError`` with the path, since the value is always one of ours.

=================  =======================================================================================
bool, ints         themselves
double             itself; ``"NaN"``, ``"Infinity"`` and ``"-Infinity"`` where JSON has no number
string             itself
binary             base64 text
uuid               its text
enum               the member's name; a number that has none as the number (both are read)
list               a list
set                a list, in the order of its members as text
map                an object where keys are bool, numbers, text, binary, uuid or enum; else ``[[key, value], ...]``
struct, exception  an object without the unset fields
union              an object of one entry
=================  =======================================================================================
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from thriftserver.closest import closest
from thriftserver.errors import EncodeError
from thriftserver.schema import model
from thriftserver.schema.classes import class_of, enum_of
from thriftserver.schema.frozen import FrozenMap
from thriftserver.schema.special import ThriftUnion
from thriftserver.schema.text import REDACTED, brief
from thriftserver.wire import MAX_DEPTH

_SPECIAL = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_BITS = {"i8": 7, "i16": 15, "i32": 31, "i64": 63}


def to_plain(type: model.Type, value: Any, path: str = "", depth: int = 0, hide: bool = False) -> Any:
    """A value of ``type`` as data for ``json.dumps``; None stays None.

    ``hide``: what the IDL says must not be shown is ``[redacted]``.
    """
    _check_depth(depth, path)
    if value is None:
        return None
    match type:
        case model.List(element=element):
            return [to_plain(element, item, f"{path}[{i}]", depth + 1, hide) for i, item in enumerate(value)]
        case model.Set(element=element):
            return sorted((to_plain(element, item, f"{path}[]", depth + 1, hide) for item in value), key=json.dumps)
        case model.Map(key=key, value=inner):
            return _plain_map(key, inner, value, path, depth + 1, hide)
        case model.Enum(members=members):
            return next((member.name for member in members if member.value == value), _int(value))
        case model.Struct(redacted=True) if hide:
            return REDACTED
        case model.Struct(fields=fields):
            values = ((field, getattr(value, field.name, None)) for field in fields)
            return {
                field.name: REDACTED
                if hide and field.redacted
                else to_plain(field.type, item, _join(path, field.name), depth + 1, hide)
                for field, item in values
                if item is not None
            }
        case model.Base(name="double"):
            return float(value) if math.isfinite(value) else _special(value)
        case model.Base(name="binary"):
            return base64.b64encode(value).decode("ascii")
        case model.Base(name="uuid"):
            return str(value)
    return value


def _int(value: Any) -> int:
    return int(value)


def _special(value: float) -> str:
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _plain_map(key: model.Type, inner: model.Type, value: Mapping[Any, Any], path: str, depth: int, hide: bool) -> Any:
    pairs = [
        (to_plain(key, name, path, depth, hide), to_plain(inner, item, f"{path}[{name!r}]", depth, hide))
        for name, item in value.items()
    ]
    if not _has_text_keys(key):
        return [list(pair) for pair in pairs]
    return {_key_text(name): item for name, item in pairs}


def _has_text_keys(key: model.Type) -> bool:
    return isinstance(key, model.Base | model.Enum)


def _key_text(name: Any) -> str:
    return name if isinstance(name, str) else ("true" if name else "false") if isinstance(name, bool) else repr(name)


def from_plain(type: model.Type, data: Any, path: str = "", frozen: bool = False, depth: int = 0) -> Any:
    """The value of ``type`` that ``data`` stands for; ``frozen`` for one in key or member position.

    Raises ``EncodeError``: wrong types, numbers out of range, names that do not exist (with the nearest that does).
    """
    _check_depth(depth, path)
    match type:
        case model.List(element=element):
            items = _items(type, data, element, path, frozen, depth)
            return tuple(items) if frozen else items
        case model.Set(element=element):
            members = _items(type, data, element, path, True, depth)
            return frozenset(members) if frozen else set(members)
        case model.Map():
            return _read_map(type, data, path, frozen, depth + 1)
        case model.Enum():
            return _read_enum(type, data, path)
        case model.Struct():
            return _read_struct(type, data, path, frozen, depth + 1)
    assert isinstance(type, model.Base)
    return _BASES[type.name](type, data, path)


def _items(type: model.Type, data: Any, element: model.Type, path: str, frozen: bool, depth: int) -> list[Any]:
    if not isinstance(data, list | tuple):
        raise _misfit(type, data, path)
    return [from_plain(element, item, f"{path}[{i}]", frozen, depth + 1) for i, item in enumerate(data)]


def _read_map(type: model.Map, data: Any, path: str, frozen: bool, depth: int) -> Any:
    made: dict[Any, Any] = {}
    if isinstance(data, Mapping) and _has_text_keys(type.key):
        for name, item in data.items():
            key = _read_key(type.key, name, f"{path}[{name!r}]")
            made[key] = from_plain(type.value, item, f"{path}[{name!r}]", frozen, depth)
    elif isinstance(data, list | tuple):
        for i, pair in enumerate(data):
            if not isinstance(pair, list | tuple) or len(pair) != 2:
                raise EncodeError(f"expected [key, value], got {brief(pair)}", f"{path}[{i}]")
            key = from_plain(type.key, pair[0], f"{path}[key #{i}]", True, depth)
            made[key] = from_plain(type.value, pair[1], f"{path}[{i}]", frozen, depth)
    else:
        raise _misfit(type, data, path)
    return FrozenMap(made) if frozen else made


def _read_key(type: model.Type, name: Any, path: str) -> Any:
    """A key of a JSON object, which is always text."""
    if isinstance(name, str) and isinstance(type, model.Base):
        if type.name == "bool" and name in ("true", "false"):
            return name == "true"
        if type.name in _BITS or type.name == "double":
            number = int if type.name in _BITS else float
            try:
                return from_plain(type, number(name), path)
            except ValueError:
                raise _misfit(type, name, path) from None
    return from_plain(type, name, path)


def _read_enum(type: model.Enum, data: Any, path: str) -> Any:
    if isinstance(data, str):
        for member in type.members:
            if member.name == data:
                return enum_of(type)(member.value)
        if not re.fullmatch("-?[0-9]{1,20}", data):
            names = [member.name for member in type.members]
            raise EncodeError(f"no {type.name} is called {data!r}{_suggest(data, names)}", path)
        data = int(data)
    number = _read_int(model.I32, data, path)
    return enum_of(type)._value2member_map_.get(number, number)


def _read_struct(type: model.Struct, data: Any, path: str, frozen: bool, depth: int) -> Any:
    cls = class_of(type)
    if isinstance(data, cls):
        return data
    if not isinstance(data, Mapping):
        raise _misfit(type, data, path)
    fields = {field.name: field for field in type.fields}
    values = {}
    for name, item in data.items():
        if name not in fields:
            raise EncodeError(f"{type.name} has no field {name!r}{_suggest(name, list(fields))}", path)
        if item is not None:
            values[name] = from_plain(fields[name].type, item, _join(path, name), frozen, depth)
    for field in type.fields:
        if field.required and field.name not in values and field.default is model.ABSENT:
            raise EncodeError("required field is missing", _join(path, field.name))
    if issubclass(cls, ThriftUnion) and len(values) != 1:
        raise EncodeError(f"union {type.name} needs exactly one member, got {', '.join(values) or 'none'}", path)
    return cls(**values)


def _read_bool(type: model.Base, data: Any, path: str) -> bool:
    if not isinstance(data, bool):
        raise _misfit(type, data, path)
    return data


def _read_int(type: model.Base, data: Any, path: str) -> int:
    if isinstance(data, bool) or not isinstance(data, int):
        raise _misfit(type, data, path)
    if not -(1 << _BITS[type.name]) <= data < 1 << _BITS[type.name]:
        raise EncodeError(f"{brief(data)} is out of range of {type}", path)
    return int(data)


def _read_double(type: model.Base, data: Any, path: str) -> float:
    if isinstance(data, str) and data in _SPECIAL:
        return _SPECIAL[data]
    if isinstance(data, bool) or not isinstance(data, int | float):
        raise _misfit(type, data, path)
    try:
        return float(data)
    except OverflowError:
        raise EncodeError("a number out of range of double", path) from None


def _read_string(type: model.Base, data: Any, path: str) -> str:
    if not isinstance(data, str):
        raise _misfit(type, data, path)
    return data


def _read_binary(type: model.Base, data: Any, path: str) -> bytes:
    if isinstance(data, bytes):
        return data
    if not isinstance(data, str):
        raise _misfit(type, data, path)
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        raise EncodeError(f"expected base64, got {brief(data)}", path) from None


def _read_uuid(type: model.Base, data: Any, path: str) -> uuid.UUID:
    if isinstance(data, uuid.UUID):
        return data
    try:
        return uuid.UUID(data)
    except (ValueError, AttributeError, TypeError):
        raise _misfit(type, data, path) from None


_BASES: dict[str, Callable[[model.Base, Any, str], Any]] = {
    "bool": _read_bool,
    **dict.fromkeys(_BITS, _read_int),
    "double": _read_double,
    "string": _read_string,
    "binary": _read_binary,
    "uuid": _read_uuid,
}


def _misfit(type: model.Type, data: Any, path: str) -> EncodeError:
    name = type.name if isinstance(type, model.Struct | model.Enum) else str(type)
    return EncodeError(f"expected {name}, got {brief(data)}", path)


def _suggest(name: Any, names: list[str]) -> str:
    near = closest(str(name), names)
    return f"; did you mean {near!r}?" if near else f"; there are {', '.join(names[:12])}" if names else ""


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _check_depth(depth: int, path: str) -> None:
    if depth > MAX_DEPTH:
        raise EncodeError(f"nested deeper than {MAX_DEPTH} levels", path[:200])
