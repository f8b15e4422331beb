"""Writing under the walkers: single values of the JSON protocol, and what stands around them.

Each value puts a comma behind itself, and whatever closes puts its bracket in the place of the last one, so that the
bytes of values can be cut out and put back in another order. ``sink.state`` is 0 as long as there is nothing around, as
then no comma belongs behind a struct.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from typing import Any

from thriftserver.codec.memory import Sink, bytes_of, put_raw, put_u8, utf8_of
from thriftserver.codec.odd import odd_double, odd_integer
from thriftserver.codec.tjson.grammar import CODES

_NAMES = {code: name for name, code in CODES.items()}
_special = re.compile(r'[\x00-\x1f"\\]')
_ESCAPES = {chr(code): f"\\u{code:04x}" for code in range(32)} | {'"': '\\"', "\\": "\\\\"}
_ESCAPES |= {"\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
#: Doubles that JSON has no numbers for.
_ODD = {"nan": b'"NaN",', "inf": b'"Infinity",', "-inf": b'"-Infinity",'}
_digits = re.compile(rb"[-+.0-9e]+\Z").search
#: Bytes that a number can have at most, with the comma behind it.
_WIDEST = 32


def put_bool(sink: Sink, value: bool) -> None:
    sink.write(b"1," if value else b"0,")


def _put_integer(sink: Sink, value: Any, high: int) -> bool:
    if type(value) is not int:
        value = odd_integer(value)
        if value is None:
            return False
    if not -high - 1 <= value <= high:
        return False
    sink.write(b"%d," % value)
    return True


def put_i8(sink: Sink, value: Any) -> bool:
    return _put_integer(sink, value, 0x7F)


def put_i16(sink: Sink, value: Any) -> bool:
    return _put_integer(sink, value, 0x7FFF)


def put_i32(sink: Sink, value: Any) -> bool:
    return _put_integer(sink, value, 0x7FFFFFFF)


def put_i64(sink: Sink, value: Any) -> bool:
    return _put_integer(sink, value, 0x7FFFFFFFFFFFFFFF)


def put_double(sink: Sink, value: Any) -> bool:
    """False for what is no number: anything without ``__float__`` or ``__index__``, and bool."""
    if type(value) is not float:
        value = odd_double(value)
        if value is None:
            return False
    text = repr(value)
    sink.write(_ODD.get(text) or f"{text},".encode())
    return True


def put_text(sink: Sink, value: Any) -> bool:
    data = utf8_of(value)
    if data is not None:
        sink.write(f'"{_special.sub(_escape_of, data.decode())}",'.encode())
    return data is not None


def _escape_of(match: re.Match[str]) -> str:
    return _ESCAPES[match[0]]


def put_bytes(sink: Sink, value: Any) -> bool:
    data = bytes_of(value)
    if data is not None:
        sink.write(b'"%b",' % b2a_base64(data, newline=False))
    return data is not None


def put_uuid(sink: Sink, data: bytes) -> None:
    text = data.hex()
    sink.write(f'"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}",'.encode())


def begin_struct(sink: Sink) -> int:
    outer = sink.state
    sink.state = 1
    sink.write(b"{")
    return outer


def put_field(sink: Sink, wire: int, id: int) -> None:
    sink.write(f'"{id}":{{"{_NAMES[wire]}":'.encode())


def end_field(sink: Sink) -> None:
    close(sink, 0x7D)
    put_u8(sink, 0x2C)


def end_struct(sink: Sink, outer: int) -> None:
    close(sink, 0x7D)
    sink.state = outer
    if outer:
        put_u8(sink, 0x2C)


def begin_list(sink: Sink, wire: int, size: int) -> None:
    sink.write(f'["{_NAMES[wire]}",{size},'.encode())


def end_list(sink: Sink) -> None:
    close(sink, 0x5D)
    put_u8(sink, 0x2C)


def begin_map(sink: Sink, key: int, wire: int, size: int) -> None:
    sink.write(f'["{_NAMES[key]}","{_NAMES[wire]}",{size},{{'.encode())


def begin_key(sink: Sink) -> None:
    """A key is written as any value is; ``end_key`` makes the rest of it."""


def end_key(sink: Sink) -> None:
    """A colon for the comma; a number gets quotes, as JSON wants texts for keys."""
    end = sink.tell() - 1
    start = max(end - _WIDEST, 0)
    sink.seek(start)
    found = _digits(sink.read(end - start))
    if found:
        sink.seek(start + found.start())
        sink.write(b'"%b":' % found[0])
    else:
        sink.write(b":")


def end_map(sink: Sink) -> None:
    close(sink, 0x7D)
    put_raw(sink, b"],")


def close(sink: Sink, bracket: int) -> None:
    """A bracket in the place of the last comma, if there is one: not where nothing is inside."""
    sink.seek(-1, 2)
    if sink.read(1) == b",":
        sink.seek(-1, 2)
    put_u8(sink, bracket)
