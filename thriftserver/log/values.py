"""Any Python value as one that JSON has, bounded and readable by every parser; and exceptions as text.

Whatever a peer, a handler or a library puts into a log goes through here. It knows no line and no descriptor.
"""

from __future__ import annotations

import re
import traceback
from typing import Any

from thriftserver.foreign import class_name, text_of

#: Characters of one text, items of one container, containers within each other: more than that is cut.
TEXT, ITEMS, LEVELS = 1000, 20, 4
#: Frames of one exception that are worth formatting: a recursion has thousands, and formatting takes the loop's time.
FRAMES = (40, 12, 6, 3)

#: What a line must not hold as it is, beyond what JSON escapes by itself: what ends a line for some reader (U+0085,
#: U+2028), steers a terminal (U+009B) or turns the direction of reading (U+202E).
_HOSTILE = re.compile("[\x80-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")

_INT = 1 << 63
_traceback = BaseException.__dict__["__traceback__"].__get__


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def escape(text: str) -> str:
    """JSON text with every hostile character as JSON's escape of it; the text means the same as before."""
    return _HOSTILE.sub(_escape, text)


def visible(text: str) -> str:
    """One line for a terminal: whatever would move a cursor, end a line or hide is shown as ``\\uXXXX``."""
    return _CONTROL.sub(_escape, text)


def cut(text: str, size: int) -> str:
    """At most about ``size`` characters: the beginning and the end, and how much is missing between them."""
    if len(text) <= size:
        return text
    left = (size + 1) // 2
    return f"{text[:left]}[... {len(text) - size} characters ...]{text[len(text) - size + left :]}"


def plain(value: Any, size: int = TEXT, levels: int = LEVELS) -> Any:
    """``value`` made of None, bool, int of 64 bits, finite float, sound str, list and dict. Never raises."""
    kind = type(value)
    if kind is str:
        return _sound(value, size)
    if value is None or kind is bool:
        return value
    if issubclass(kind, int):
        value = int.__index__(value)
        return value if -_INT <= value < _INT else _sound(_text(value), size)
    if kind is float:
        return value if value - value == 0 else str(value)  # no JSON for nan and the infinities
    if kind in (list, tuple, set, frozenset) and levels:
        items = [plain(item, size, levels - 1) for _, item in zip(range(ITEMS), value, strict=False)]
        return items if len(value) <= ITEMS else [*items, f"... {len(value) - ITEMS} more"]
    if issubclass(kind, dict) and levels:
        return _table(dict(dict.items(value)), size, levels)
    if issubclass(kind, str):
        return _sound(str.__str__(value), size)
    return _sound(_text(value), size)


def _table(items: dict[Any, Any], size: int, levels: int) -> dict[str, Any]:
    made = {}
    for number, (key, value) in enumerate(items.items()):
        if number == ITEMS:
            made["..."] = f"{len(items) - ITEMS} more"
            break
        made[_sound(key if type(key) is str else _text(key), size)] = plain(value, size, levels - 1)
    return made


def _sound(text: str, size: int) -> str:
    text = cut(text, size)
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode()  # half a surrogate pair is no character


def _text(value: Any) -> str:
    """The ``repr`` of a stranger, or of an exception what a person wants to read of it."""
    try:
        if isinstance(value, BaseException):
            return reason(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return repr(bytes(value[: TEXT // 2]))
        return repr(value)
    except Exception:  # noqa: BLE001 - whatever a foreign __repr__ raises, the line is written
        return f"<{class_name(value)}>"


def reason(error: BaseException) -> str:
    """An exception in one line: ``ValueError: not a number``."""
    message = text_of(error)
    return f"{class_name(error)}: {message}" if message else class_name(error)


def trace(error: BaseException, size: int) -> str:
    """A traceback of about ``size`` characters; what is too much are the outer frames of each exception in the chain.

    Local variables are never in it.
    """
    text = ""
    for frames in FRAMES:
        text = "".join(_frames(error, frames)).rstrip("\n")
        if len(text) <= size:
            break
    return cut(text, size)


def _frames(error: BaseException, frames: int) -> list[str]:
    try:
        parts = traceback.TracebackException(type(error), error, error.__traceback__, limit=-frames, compact=True)
        return list(parts.format())
    except BaseException:  # noqa: BLE001 - an exception's attributes may be anything: what Python itself knows is left
        return [*traceback.format_tb(_traceback(error), -frames), reason(error)]
