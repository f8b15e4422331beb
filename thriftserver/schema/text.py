"""Short texts of values for logs and error messages: bounded however large or deep the value is.

Nothing here knows Thrift types; a class of ours is told by its ``__thrift__``, which also says what to hide.
"""

from __future__ import annotations

import reprlib
from typing import Any

_STRING = 60
_ITEMS = 6
_LEVELS = 3
_TOTAL = 1000

#: What stands for a value that the IDL says must not be shown.
REDACTED = "[redacted]"


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = _LEVELS
        self.maxstring = self.maxother = self.maxlong = _STRING
        self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = self.maxdict = _ITEMS

    def repr1(self, x: Any, level: int) -> str:
        fields = getattr(type(x), "__thrift__", None)
        if fields is not None and hasattr(fields, "fields"):
            return self._struct(x, level)
        if isinstance(x, bytes | bytearray | memoryview) and len(x) > _STRING:
            return f"{bytes(x[: _STRING // 2])!r}... ({len(x)} bytes)"
        return super().repr1(x, level)

    def _struct(self, x: Any, level: int) -> str:
        name = type(x).__name__
        if level <= 0:
            return f"{name}(...)"
        if type(x).__thrift__.redacted:
            return f"{name}({REDACTED})"
        parts = []
        for field in type(x).__thrift__.fields:
            value = getattr(x, field.name, None)
            if value is not None:
                parts.append(f"{field.name}={REDACTED if field.redacted else self.repr1(value, level - 1)}")
        return f"{name}({', '.join(parts)})"


_short = _Short()


def describe(value: Any) -> str:
    """``repr`` without unset fields, strings and containers cut, at most about a thousand characters."""
    text = _short.repr1(value, _LEVELS + 1)
    return text if len(text) <= _TOTAL else f"{text[:_TOTAL]}..."


def brief(value: Any) -> str:
    """A value in an error message: its type, and itself when short (``str 'x'``, ``list``, ``None``)."""
    if value is None:
        return "None"
    name = type(value).__name__
    if isinstance(value, str | bytes | bytearray | bool | int | float):
        try:
            return f"{name} {_short.repr1(value, 1)}"
        except ValueError:  # an int of more digits than Python is willing to print
            return name
    return name
