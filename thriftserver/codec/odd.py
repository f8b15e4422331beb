"""Numbers and bytes that come as something else: as a plain int, float or ``bytes``, or None for what is none.

All codecs use it; nothing here knows types of Thrift.
"""

from __future__ import annotations

import operator
from typing import Any


def odd_integer(value: Any) -> int | None:
    """A value as an exact int if it may stand for one: an enum's member, numpy's integers; a bool may not."""
    if type(value) is bool:
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def odd_double(value: Any) -> float | None:
    """What is no plain float as one; None for what is no number."""
    kind = type(value)
    if issubclass(kind, float):
        return float.__float__(value)  # whatever a method of its own says
    if kind is bool or not (hasattr(value, "__float__") or hasattr(value, "__index__")):
        return None
    try:
        return float(value)
    except (OverflowError, TypeError, ValueError):
        return None


def odd_bytes(value: Any) -> bytes | None:
    """The bytes of what is no ``bytes``; None for what has none."""
    kind = type(value)
    if issubclass(kind, bytearray):
        return bytes(bytearray.__getitem__(value, slice(None)))  # what it holds, whatever a method of its own says
    return value.tobytes() if kind is memoryview else None
