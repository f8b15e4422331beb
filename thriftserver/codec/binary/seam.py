"""The primitives of the binary protocol under the walkers: single values, and what stands around them.

``_seam.pxd`` has their C twins. Nothing here decides anything about Thrift: no limits but the end of the data.
"""

from __future__ import annotations

import struct
from typing import Any

from thriftserver.codec.fault import Fault
from thriftserver.codec.loops import kind_of as kind_of
from thriftserver.codec.loops import pass_fields as pass_fields
from thriftserver.codec.loops import put_pairs as put_pairs
from thriftserver.codec.loops import put_run_from as put_run_from
from thriftserver.codec.loops import take_pairs as take_pairs
from thriftserver.codec.loops import take_run as take_run
from thriftserver.codec.memory import (
    Sink,
    Source,
    bytes_of,
    pass_over,
    put_raw,
    put_u8,
    short,
    take_known,
    take_raw,
    take_u8,
    take_utf8,
    utf8_of,
)
from thriftserver.codec.odd import odd_double, odd_integer
from thriftserver.codec.unmarked import begin_key as begin_key
from thriftserver.codec.unmarked import close_field as close_field
from thriftserver.codec.unmarked import close_key as close_key
from thriftserver.codec.unmarked import close_list as close_list
from thriftserver.codec.unmarked import close_map as close_map
from thriftserver.codec.unmarked import end_field as end_field
from thriftserver.codec.unmarked import end_key as end_key
from thriftserver.codec.unmarked import end_list as end_list
from thriftserver.codec.unmarked import end_map as end_map
from thriftserver.codec.unmarked import open_key as open_key

_i8 = struct.Struct(">b")
_i16 = struct.Struct(">h")
_i32 = struct.Struct(">i")
_u32 = struct.Struct(">I")
_i64 = struct.Struct(">q")
_double = struct.Struct(">d")
_field = struct.Struct(">Bh")
_list = struct.Struct(">Bi")
_map = struct.Struct(">BBi")
_take_i16, _take_i32 = _i16.unpack_from, _i32.unpack_from
_take_i64, _take_double = _i64.unpack_from, _double.unpack_from

#: Bytes that a value of a wire type has at least; 0 for a wire type that does not exist.
_LEAST = [0, 0, 1, 1, 8, 0, 2, 0, 4, 0, 8, 4, 1, 6, 5, 5, 16]
#: Bytes of the wire types that always have the same; 0 for the others.
_WIDTHS = [0, 0, 1, 1, 8, 0, 2, 0, 4, 0, 8, 0, 0, 0, 0, 0, 16]


def least_of(code: int) -> int:
    return _LEAST[code] if 0 <= code <= 16 else 0


# Values.


def take_bool(source: Source) -> bool:
    return take_u8(source) != 0


def take_i8(source: Source) -> int:
    value = take_u8(source)
    return value - 256 if value > 127 else value


def take_i16(source: Source) -> int:
    pos = source.pos
    try:
        (value,) = _take_i16(source.data, pos)
    except struct.error:
        raise short(source, 2) from None
    source.pos = pos + 2
    return value  # type: ignore[no-any-return]


def take_i32(source: Source) -> int:
    pos = source.pos
    try:
        (value,) = _take_i32(source.data, pos)
    except struct.error:
        raise short(source, 4) from None
    source.pos = pos + 4
    return value  # type: ignore[no-any-return]


def take_i64(source: Source) -> int:
    pos = source.pos
    try:
        (value,) = _take_i64(source.data, pos)
    except struct.error:
        raise short(source, 8) from None
    source.pos = pos + 8
    return value  # type: ignore[no-any-return]


def take_double(source: Source) -> float:
    pos = source.pos
    try:
        (value,) = _take_double(source.data, pos)
    except struct.error:
        raise short(source, 8) from None
    source.pos = pos + 8
    return value  # type: ignore[no-any-return]


def take_length(source: Source) -> int:
    """A size that cannot be negative."""
    size = take_i32(source)
    if size < 0:
        raise Fault(f"negative size {size}")
    return size


def take_text(source: Source) -> str:
    return take_utf8(source, take_length(source))


def take_name(source: Source) -> str:
    return take_known(source, take_length(source))


def take_loose(source: Source) -> str:
    return take_raw(source, take_length(source)).decode("utf-8", "replace")


def take_binary(source: Source) -> bytes:
    return take_raw(source, take_length(source))


def take_uuid(source: Source) -> bytes:
    return take_raw(source, 16)


def pass_value(source: Source, code: int) -> bool:
    """Pass over a number or text; False for a container or struct."""
    if least_of(code) == 0:
        raise Fault(f"unknown wire type {code}")
    width = _WIDTHS[code]
    if width != 0:
        pass_over(source, width)
    elif code == 11:
        pass_over(source, take_length(source))
    else:
        return False
    return True


def pass_values(source: Source, size: int, first: int, second: int) -> bool:
    """Pass over the values of a list, or over pairs, at once; False where each has to be looked at."""
    if _WIDTHS[first] == 0 or (second >= 0 and _WIDTHS[second] == 0):
        return False
    pass_over(source, size * (_WIDTHS[first] + (_WIDTHS[second] if second >= 0 else 0)))
    return True


def put_bool(sink: Sink, value: bool) -> None:
    put_u8(sink, value)


def put_size(sink: Sink, size: int) -> None:
    sink.write(_u32.pack(size & 0xFFFFFFFF))


def put_i8(sink: Sink, value: Any) -> bool:
    if type(value) is not int:
        value = odd_integer(value)
    try:
        sink.write(_i8.pack(value))
    except struct.error:
        return False
    return True


def put_i16(sink: Sink, value: Any) -> bool:
    if type(value) is not int:
        value = odd_integer(value)
    try:
        sink.write(_i16.pack(value))
    except struct.error:
        return False
    return True


def put_i32(sink: Sink, value: Any) -> bool:
    if type(value) is not int:
        value = odd_integer(value)
    try:
        sink.write(_i32.pack(value))
    except struct.error:
        return False
    return True


def put_i64(sink: Sink, value: Any) -> bool:
    if type(value) is not int:
        value = odd_integer(value)
    try:
        sink.write(_i64.pack(value))
    except struct.error:
        return False
    return True


def put_double(sink: Sink, value: Any) -> bool:
    """False for what is no number: anything without ``__float__`` or ``__index__``, and bool."""
    if type(value) is not float:
        value = odd_double(value)
        if value is None:
            return False
    sink.write(_double.pack(value))
    return True


def put_text(sink: Sink, value: Any) -> bool:
    data = utf8_of(value)
    if data is not None:
        _put_sized(sink, data)
    return data is not None


def put_bytes(sink: Sink, value: Any) -> bool:
    data = bytes_of(value)
    if data is not None:
        _put_sized(sink, data)
    return data is not None


def _put_sized(sink: Sink, data: bytes) -> None:
    sink.write(_i32.pack(len(data)))
    sink.write(data)


def put_uuid(sink: Sink, data: bytes) -> None:
    put_raw(sink, data)


# What stands around them.


def open_struct(source: Source) -> int:
    return 0


def take_field(source: Source) -> int:
    code = take_u8(source)
    if code != 0:
        source.field = take_i16(source)
    return code


def close_struct(source: Source, outer: int) -> None:
    pass


def open_list(source: Source) -> int:
    source.code = take_u8(source)
    return take_length(source)


def open_map(source: Source) -> int:
    source.key_code = take_u8(source)
    source.code = take_u8(source)
    return take_length(source)


def begin_struct(sink: Sink) -> int:
    return 0


def put_field(sink: Sink, wire: int, id: int) -> None:
    sink.write(_field.pack(wire, id))


def end_struct(sink: Sink, outer: int) -> None:
    put_u8(sink, 0)


def begin_list(sink: Sink, wire: int, size: int) -> None:
    sink.write(_list.pack(wire, size))


def begin_map(sink: Sink, key: int, wire: int, size: int) -> None:
    sink.write(_map.pack(key, wire, size))


# Many values at once.


def take_i32_run(source: Source, size: int) -> list[int]:
    return _take_run(source, size, 4, "i")


def take_i64_run(source: Source, size: int) -> list[int]:
    return _take_run(source, size, 8, "q")


def take_double_run(source: Source, size: int) -> list[float]:
    return _take_run(source, size, 8, "d")


def _take_run(source: Source, size: int, width: int, code: str) -> list[Any]:
    """Many numbers at once; whoever calls has checked that the data has them."""
    pos = source.pos
    source.pos = pos + size * width
    return list(struct.unpack_from(f">{size}{code}", source.data, pos))


def put_i32_run(sink: Sink, items: Any) -> int:
    return _put_run(sink, items, int, "i")


def put_i64_run(sink: Sink, items: Any) -> int:
    return _put_run(sink, items, int, "q")


def put_double_run(sink: Sink, items: Any) -> int:
    return _put_run(sink, items, float, "d")


def _put_run(sink: Sink, items: Any, kind: type, code: str) -> int:
    """All of the numbers at once and how many, or -1 and nothing: then each has to be looked at."""
    if any(type(item) is not kind for item in items):
        return -1
    try:
        sink.write(struct.pack(f">{len(items)}{code}", *items))
    except struct.error:
        return -1
    return len(items)
