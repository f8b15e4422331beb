"""Arguments of calls as people write them: ``name=value`` pairs, and JSON documents one after the other.

It reads texts and makes values of the IDL's types; it calls nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from thriftserver.client.methods import signature
from thriftserver.client.plain import arguments_of
from thriftserver.closest import closest
from thriftserver.errors import ConfigError
from thriftserver.schema.model import BINARY, STRING, UUID, Enum, Field, Function, List, Map, Set, Struct, Type

_SPACE = " \t\r\n"
#: What is a text in JSON as well.
_TEXTS = (STRING, BINARY, UUID)


def is_pair(text: str) -> bool:
    """Does it begin like ``name=``? JSON begins with a bracket."""
    return "=" in text and text.lstrip(_SPACE)[:1] not in ("{", "[", '"')


def read_pairs(function: Function, texts: Sequence[str]) -> list[Any]:
    """Values in the order of the IDL from ``name=value``; ``user.name=value`` is a field within an argument.

    A value of a string is the text as it stands, of an enum the member's name, of a uuid its text, of a binary base64;
    any other one is JSON. What is no list, given to one, is one item of it. Raises ConfigError.
    """
    data: dict[str, Any] = {}
    for text in texts:
        path, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"{text!r} is neither JSON nor name=value: {signature(function)}")
        _put(data, function.args, path.split("."), value, signature(function))
    return arguments_of(function, data)


def _put(data: dict[str, Any], fields: Sequence[Field], path: Sequence[str], text: str, within: str) -> None:
    name, *rest = path
    field = next((each for each in fields if each.name == name), None)
    if field is None:
        close = closest(name, [each.name for each in fields])
        raise ConfigError(f"there is no {name!r} in {within}" + (f"; did you mean {close!r}?" if close else ""))
    _set(data, name, field.type, rest, text)


def _set(data: dict[str, Any], name: str, type: Type, rest: Sequence[str], text: str) -> None:
    match type:
        case Struct(fields=fields) if rest:
            _put(_inner(data, name, rest), fields, rest, text, type.name)
        case Map(key=key, value=value) if rest and key == STRING:
            _set(_inner(data, name, rest), ".".join(rest), value, (), text)
        case List(element=element) | Set(element=element) if not rest and not text.lstrip(_SPACE).startswith("["):
            items = data.setdefault(name, [])
            if not isinstance(items, list):
                raise ConfigError(f"{name} is given twice")
            items.append(_value(element, text))
        case _ if rest:
            raise ConfigError(f"{name} is no struct, so it has no {'.'.join(rest)!r}")
        case _ if name in data:
            raise ConfigError(f"{name} is given twice")
        case _:
            data[name] = _value(type, text)


def _inner(data: dict[str, Any], name: str, rest: Sequence[str]) -> dict[str, Any]:
    inner = data.setdefault(name, {})
    if not isinstance(inner, dict):
        raise ConfigError(f"{name} is given as a whole, and {name}.{'.'.join(rest)} again")
    return inner


def _value(type: Type, text: str) -> Any:
    if isinstance(type, Enum) or type in _TEXTS:
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def documents(text: str) -> Iterator[str]:
    """The JSON documents that a text consists of, one after the other, on one line each or on many.

    The last one may be none: whoever reads it says why.
    """
    decoder = json.JSONDecoder()
    at = _next(text, 0)
    while at < len(text):
        try:
            _, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            end = len(text)
        yield text[at:end]
        at = _next(text, end)


def _next(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at
