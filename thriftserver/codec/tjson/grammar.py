"""The names of types, the limits, and what is said of a text that is not in the JSON protocol.

The readable seam and the compiled one share it, so that they say the same.
"""

from __future__ import annotations

from typing import Final

from thriftserver import wire
from thriftserver.codec.fault import Fault

#: Wire types by their names.
CODES: Final = {
    "tf": wire.BOOL,
    "i8": wire.BYTE,
    "i16": wire.I16,
    "i32": wire.I32,
    "i64": wire.I64,
    "dbl": wire.DOUBLE,
    "str": wire.STRING,
    "rec": wire.STRUCT,
    "map": wire.MAP,
    "lst": wire.LIST,
    "set": wire.SET,
    "uid": wire.UUID,
}
#: Bytes that a value of a wire type has at least, with the separator or bracket behind it: ``0,`` and ``"",`` and
#: ``{},`` and ``["tf","tf",0,{}],`` and ``["tf",0],`` and a quoted uuid. 0 for a wire type that does not exist.
LEAST: Final = [0, 0, 2, 2, 2, 0, 2, 0, 2, 0, 2, 3, 3, 17, 9, 9, 39]
#: Digits of the longest i64: what has more is never converted.
DIGITS: Final = 19
#: Characters of a double that are converted: the longest that any library writes has some 320.
LONGEST: Final = 512
#: A character may be written as an escape of so many bytes.
ESCAPED: Final = 6

#: Brackets within each other that no valid message has: three for each level that can be allowed is more than enough.
DEEPEST: Final = 3 * 200 + 2

#: How much of a text is shown in an error.
_SHOWN = 40


def expected(what: str, pos: int, found: int) -> Fault:
    """``what`` should stand at byte ``pos``, where the byte ``found`` is; -1 for the end of the data."""
    if found < 0:
        got = "the end of the data"
    elif found < 0x80:
        got = repr(chr(found))
    else:
        got = f"byte 0x{found:02x}"
    return Fault(f"expected {what} at byte {pos}, got {got}")


def unending(pos: int) -> Fault:
    return Fault(f"the string at byte {pos} has no end")


def fraction(pos: int) -> Fault:
    return Fault(f"expected an integer at byte {pos}, got a fraction or an exponent")


def out_of_range(number: bytes, kind: str) -> Fault:
    """The fault of a number that its type cannot hold; a long one is not shown."""
    digits = len(number.lstrip(b"-"))
    if digits <= DIGITS or (kind == "double" and digits <= _SHOWN):
        return Fault(f"{number.decode()} is out of range of {kind}")
    return Fault(f"a number of {digits} characters is out of range of {kind}")


def bad_double(text: bytes, pos: int) -> Fault:
    return Fault(f"expected a number at byte {pos}, got {_shown(text)}")


def bad_uuid(text: bytes, pos: int) -> Fault:
    return Fault(f"expected a uuid at byte {pos}, got {_shown(text)}")


def bad_type(name: str, pos: int) -> Fault:
    return Fault(f"unknown type {name[:_SHOWN]!r} at byte {pos}")


def bad_escape(pos: int) -> Fault:
    return Fault(f"bad escape at byte {pos}")


def lone_surrogate(pos: int) -> Fault:
    return Fault(f"a lone surrogate at byte {pos}")


def bad_base64(place: int, size: int) -> Fault:
    return Fault(f"invalid base64 at character {place} of {size}")


def decoded(data: bytes) -> str:
    """A text from its bytes without escapes."""
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise Fault(f"invalid UTF-8 at byte {error.start} of {len(data)}") from None


def _shown(text: bytes) -> str:
    return repr(text[:_SHOWN].decode("utf-8", "backslashreplace"))
