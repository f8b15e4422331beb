"""The primitives of the compact protocol under the walkers: single values, and what stands around them.

``_seam.pxd`` has their C twins. Walkers see the binary protocol's wire types, which are translated here. A bool field
has its value in its header: ``state`` of a source holds the compact type of one that was not taken yet, of a sink the
id (see ``_PENDING``) of one that was not put yet. ``field`` is the id of the field before.
"""

from __future__ import annotations

import struct
from typing import Any

from thriftserver.codec.compact.types import LEAST, STRANGE, TYPES, WIDTHS, WIRES
from thriftserver.codec.compact.varints import load, out_of_range, signed, store
from thriftserver.codec.fault import Fault
from thriftserver.codec.loops import kind_of as kind_of
from thriftserver.codec.loops import pass_fields as pass_fields
from thriftserver.codec.loops import put_pairs as put_pairs
from thriftserver.codec.loops import put_run_from as put_run_from
from thriftserver.codec.loops import take_pairs as take_pairs
from thriftserver.codec.loops import take_run as take_run
from thriftserver.codec.memory import (
    MOST,
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

_double = struct.Struct("<d")

#: Added to the id of a bool field whose value has not come yet: no id makes it 0.
_PENDING = 0x10000


def least_of(code: int) -> int:
    return LEAST[code] if 0 <= code <= 16 else 0


# Values.


def take_bool(source: Source) -> bool:
    type = source.state
    if type == 0:
        type = take_u8(source)
    source.state = 0
    return type == 1


def take_i8(source: Source) -> int:
    value = take_u8(source)
    return value - 256 if value > 127 else value


def _take_number(source: Source, most: int, limit: int, what: str) -> int:
    """An unsigned number below ``limit``."""
    number, pos = load(source.data, source.pos, source.end, most)
    if number >= limit:
        raise out_of_range(number, what)
    source.pos = pos
    return number


def take_i16(source: Source) -> int:
    return signed(_take_number(source, 5, 1 << 16, "i16"))


def take_i32(source: Source) -> int:
    return signed(_take_number(source, 5, 1 << 32, "i32"))


def take_i64(source: Source) -> int:
    return signed(_take_number(source, 10, 1 << 64, "i64"))


def take_u32(source: Source) -> int:
    """The i32 of the same bits."""
    number = _take_number(source, 5, 1 << 32, "u32")
    return number - (1 << 32) if number >> 31 else number


def take_double(source: Source) -> float:
    try:
        (value,) = _double.unpack_from(source.data, source.pos)
    except struct.error:
        raise short(source, 8) from None
    source.pos += 8
    return value  # type: ignore[no-any-return]


def take_length(source: Source) -> int:
    return _take_number(source, 5, MOST + 1, "size")


def take_text(source: Source) -> str:
    return take_utf8(source, take_length(source))


def take_name(source: Source) -> str:
    return take_known(source, take_length(source))


def take_loose(source: Source) -> str:
    return take_binary(source).decode("utf-8", "replace")


def take_binary(source: Source) -> bytes:
    return take_raw(source, take_length(source))


def take_uuid(source: Source) -> bytes:
    return take_raw(source, 16)


#: Scalars that do not have the same size everywhere.
_LOOKED_AT = {2: take_bool, 6: take_i16, 8: take_i32, 10: take_i64}


def pass_value(source: Source, code: int) -> bool:
    """Pass over a number or text; False for a container or struct."""
    if least_of(code) == 0:
        raise Fault(f"unknown compact type {code & 15}")
    if code in _LOOKED_AT:
        _LOOKED_AT[code](source)
    elif code == 11:
        pass_over(source, take_length(source))
    elif WIDTHS[code] != 0:
        pass_over(source, WIDTHS[code])
    else:
        return False
    return True


def pass_values(source: Source, size: int, first: int, second: int) -> bool:
    """Pass over the values of a list, or over pairs, at once; False where each has to be looked at."""
    if WIDTHS[first] == 0 or (second >= 0 and WIDTHS[second] == 0):
        return False
    pass_over(source, size * (WIDTHS[first] + (WIDTHS[second] if second >= 0 else 0)))
    return True


def put_bool(sink: Sink, value: bool) -> None:
    type = 1 if value else 2
    if sink.state == 0:
        put_u8(sink, type)
    else:
        id = sink.state - _PENDING
        sink.state = 0
        _put_head(sink, type, id)


def put_u32(sink: Sink, number: int) -> None:
    """An i32 as the unsigned number of the same bits."""
    sink.write(store(number & 0xFFFFFFFF))


def _whole(value: Any, bits: int) -> int | None:
    """The integer that a value stands for, if it has so many bits."""
    if type(value) is not int:
        value = odd_integer(value)
    return None if value is None or value >> bits - 1 not in (0, -1) else value


def _put_integer(sink: Sink, value: Any, bits: int) -> bool:
    whole = _whole(value, bits)
    if whole is not None:
        sink.write(store(whole << 1 ^ whole >> 63))
    return whole is not None


def put_i8(sink: Sink, value: Any) -> bool:
    whole = _whole(value, 8)
    if whole is not None:
        put_u8(sink, whole & 0xFF)
    return whole is not None


def put_i16(sink: Sink, value: Any) -> bool:
    return _put_integer(sink, value, 16)


def put_i32(sink: Sink, value: Any) -> bool:
    return _put_integer(sink, value, 32)


def put_i64(sink: Sink, value: Any) -> bool:
    return _put_integer(sink, value, 64)


def put_double(sink: Sink, value: Any) -> bool:
    """False for what is no number: anything without ``__float__`` or ``__index__``, and bool."""
    if type(value) is not float:
        value = odd_double(value)
    if value is not None:
        sink.write(_double.pack(value))
    return value is not None


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
    sink.write(store(len(data)))
    sink.write(data)


def put_uuid(sink: Sink, data: bytes) -> None:
    put_raw(sink, data)


# What stands around them.


def open_struct(source: Source) -> int:
    outer = source.field
    source.field = 0
    return outer


def take_field(source: Source) -> int:
    head = take_u8(source)
    type = head & 15
    if type == 0:  # whatever else the byte says, as in Apache's libraries
        return 0
    if head > 15:
        id = source.field + (head >> 4)
        if id > 32767:
            raise Fault(f"field id {id} is out of range of i16")
        source.field = id
    else:
        source.field = take_i16(source)
    if type < 3:
        source.state = type
    return WIRES[type]


def close_struct(source: Source, outer: int) -> None:
    source.field = outer


def open_list(source: Source) -> int:
    head = take_u8(source)
    size = head >> 4
    if size == 15:
        size = take_length(source)
    source.code = _element_code(head & 15, size)
    return size


def _element_code(type: int, size: int) -> int:
    """The wire type of elements; where there are none, it does not matter what they are."""
    code = WIRES[type]
    if code >= STRANGE and size != 0:
        raise Fault(f"unknown compact type {type}")
    return code


def open_map(source: Source) -> int:
    size = take_length(source)
    if size != 0:
        types = take_u8(source)
        source.key_code = _element_code(types >> 4, size)
        source.code = _element_code(types & 15, size)
    return size


def begin_struct(sink: Sink) -> int:
    outer = sink.field
    sink.field = 0
    return outer


def put_field(sink: Sink, wire: int, id: int) -> None:
    if wire == 2:
        sink.state = _PENDING + id
    else:
        _put_head(sink, TYPES[wire], id)


def _put_head(sink: Sink, type: int, id: int) -> None:
    step = id - sink.field
    if 0 < step < 16:
        put_u8(sink, step << 4 | type)
    else:
        put_u8(sink, type)
        put_i16(sink, id)
    sink.field = id


def end_struct(sink: Sink, outer: int) -> None:
    put_u8(sink, 0)
    sink.field = outer


def begin_list(sink: Sink, wire: int, size: int) -> None:
    put_u8(sink, min(size, 15) << 4 | TYPES[wire])
    if size > 14:
        put_u32(sink, size)


def begin_map(sink: Sink, key: int, wire: int, size: int) -> None:
    put_u32(sink, size)
    if size != 0:
        put_u8(sink, TYPES[key] << 4 | TYPES[wire])


# Many values at once.


def take_i32_run(source: Source, size: int) -> list[int]:
    """Varints have to be looked at one by one, which compiled code does in a loop of its own."""
    return []


def take_i64_run(source: Source, size: int) -> list[int]:
    return []


def take_double_run(source: Source, size: int) -> list[float]:
    """Whoever calls has checked that the data has them."""
    pos = source.pos
    source.pos = pos + size * 8
    return list(struct.unpack_from(f"<{size}d", source.data, pos))


def put_i32_run(sink: Sink, items: Any) -> int:
    return -1


def put_i64_run(sink: Sink, items: Any) -> int:
    return -1


def put_double_run(sink: Sink, items: Any) -> int:
    if any(type(item) is not float for item in items):
        return -1
    sink.write(struct.pack(f"<{len(items)}d", *items))
    return len(items)
