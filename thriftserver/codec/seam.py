"""The primitives under ``walk``: single values taken from bytes and put into bytes. ``_walk.pxd`` has their C twins.

Nothing here decides anything about Thrift: no types, no limits but the end of the data.
"""

from __future__ import annotations

import operator
import struct
from io import BytesIO
from typing import Any

from thriftserver.codec.fault import Fault
from thriftserver.codec.odd import odd_bytes as odd_bytes
from thriftserver.codec.odd import odd_double as odd_double

_i8 = struct.Struct(">b")
_i16 = struct.Struct(">h")
_i32 = struct.Struct(">i")
_u32 = struct.Struct(">I")
_i64 = struct.Struct(">q")
_double = struct.Struct(">d")
_field = struct.Struct(">Bh")
_take_i8, _take_i16, _take_i32 = _i8.unpack_from, _i16.unpack_from, _i32.unpack_from
_take_i64, _take_double = _i64.unpack_from, _double.unpack_from

#: The largest size that Thrift has room for.
MOST = 0x7FFFFFFF

_BYTES = [bytes((value,)) for value in range(256)]


class Source:
    """Bytes being read: ``pos`` moves on to ``end``; ``depth`` counts the containers around the current value.

    The other counters are of fields that versioning forgives: ``skipped`` are unknown ones and those of another wire
    type, ``repeated`` the ones that replace an earlier value, ``misordered`` all others after one of a higher id.
    """

    __slots__ = ("data", "depth", "end", "misordered", "pos", "repeated", "skipped")

    def __init__(self, data: bytes, pos: int) -> None:
        self.data = data
        self.pos = pos
        self.end = len(data)
        self.depth = self.skipped = self.repeated = self.misordered = 0


class Sink(BytesIO):
    """Bytes being written; ``depth`` counts the containers around the current value."""

    __slots__ = ("depth",)

    def __init__(self) -> None:
        super().__init__()
        self.depth = 0


def new_source(data: bytes, pos: int) -> Source:
    if pos < 0:
        raise ValueError(f"position {pos} lies before the data")
    return Source(data, pos)


def new_sink(framed: bool) -> Sink:
    """An empty sink; a framed one keeps room for the length in front."""
    sink = Sink()
    if framed:
        sink.write(b"\0\0\0\0")
    return sink


def finish(sink: Sink) -> bytes:
    """All that was put."""
    return sink.getvalue()


def finish_frame(sink: Sink) -> bytes:
    """All that was put, behind its length."""
    seal(sink)
    return sink.getvalue()


def seal(sink: Sink) -> int:
    """Put the length in front of all that was put; how many bytes the frame has."""
    size = sink.tell()
    if size - 4 > MOST:
        raise OverflowError("a frame of more than 2 GiB")
    sink.seek(0)
    sink.write(_i32.pack(size - 4))
    sink.seek(size)
    return size


def length(sink: Sink) -> int:
    """How many bytes have been put."""
    return sink.tell()


def cut(sink: Sink, start: int) -> bytes:
    """Take out what was put after the first ``start`` bytes."""
    sink.seek(start)
    data = sink.read()
    sink.seek(start)
    sink.truncate()
    return data


def recycle(sink: Sink) -> None:
    """Nobody uses the sink any more: compiled code keeps its memory."""


def kind_of(op: str, wire: int) -> int:
    """By which name loops of compiled code know a base type; 0 for what they leave to nodes."""
    return 0


def short(source: Source, size: int) -> Fault:
    """The fault of data that ends too early; ``pos`` must not have moved yet."""
    return Fault(f"truncated: {size} more bytes expected, {max(source.end - source.pos, 0)} left")


def take_u8(source: Source) -> int:
    pos = source.pos
    if pos >= source.end:
        raise short(source, 1)
    source.pos = pos + 1
    return source.data[pos]


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


def check_size(source: Source, size: int, width: int) -> None:
    """Refuse a container that claims more elements than the rest of the data could hold."""
    if size > (source.end - source.pos) // width:
        raise Fault(f"size {size} is more than the {source.end - source.pos} bytes left can hold")


def take_bytes(source: Source, size: int) -> bytes:
    pos = source.pos
    if size > source.end - pos:
        raise short(source, size)
    source.pos = pos + size
    return source.data[pos : pos + size]


def take_text(source: Source, size: int) -> str:
    pos = source.pos
    if size > source.end - pos:
        raise short(source, size)
    try:
        text = source.data[pos : pos + size].decode()
    except UnicodeDecodeError as error:
        raise Fault(f"invalid UTF-8 at byte {error.start} of {size}") from None
    source.pos = pos + size
    return text


def take_name(source: Source, size: int) -> str:
    """A text that is probably short and seen before; compiled code keeps some."""
    return take_text(source, size)


def pass_over(source: Source, size: int) -> None:
    if size > source.end - source.pos:
        raise short(source, size)
    source.pos += size


def put_u8(sink: Sink, value: int) -> None:
    sink.write(_BYTES[value])


def put_field(sink: Sink, wire: int, id: int) -> None:
    sink.write(_field.pack(wire, id))


def put_size(sink: Sink, size: int) -> None:
    sink.write(_u32.pack(size & 0xFFFFFFFF))


def put_raw(sink: Sink, data: bytes) -> None:
    sink.write(data)


def _integer(value: Any) -> Any:
    """A value as an exact int if it may stand for one: an enum's member, numpy's integers; a bool may not."""
    if type(value) is bool:
        return None
    try:
        return operator.index(value)
    except TypeError:
        return None


def put_i8(sink: Sink, value: Any) -> bool:
    if type(value) is not int:
        value = _integer(value)
    try:
        sink.write(_i8.pack(value))
    except struct.error:
        return False
    return True


def put_i16(sink: Sink, value: Any) -> bool:
    if type(value) is not int:
        value = _integer(value)
    try:
        sink.write(_i16.pack(value))
    except struct.error:
        return False
    return True


def put_i32(sink: Sink, value: Any) -> bool:
    if type(value) is not int:
        value = _integer(value)
    try:
        sink.write(_i32.pack(value))
    except struct.error:
        return False
    return True


def put_i64(sink: Sink, value: Any) -> bool:
    if type(value) is not int:
        value = _integer(value)
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
    if not issubclass(type(value), str):
        return False
    try:
        data = str.encode(value)  # what it holds, whatever a method of its own says
    except UnicodeEncodeError:
        return False
    _put_sized(sink, data)
    return True


def put_bytes(sink: Sink, value: Any) -> bool:
    if not issubclass(type(value), bytes):
        value = odd_bytes(value)
        if value is None:
            return False
    _put_sized(sink, bytes.__getitem__(value, slice(None)))
    return True


def _put_sized(sink: Sink, data: bytes) -> None:
    if len(data) > MOST:
        raise too_long(len(data))
    sink.write(_i32.pack(len(data)))
    sink.write(data)


def too_long(size: int) -> Fault:
    return Fault(f"a text or binary of {size} bytes; 2 GiB is the most")


def take_run(source: Source, size: int, kind: int, members: dict[int, Any]) -> list[Any]:
    """The first of ``size`` values, up to one that needs a closer look. Only compiled code is faster for it."""
    return []


def take_pairs(source: Source, items: dict[Any, Any], size: int, key: int, kind: int, members: dict[int, Any]) -> int:
    """The same for the pairs of a map whose keys are texts, put into ``items``; how many."""
    return 0


def put_run_from(sink: Sink, items: Any, index: int, kind: int, wire: int) -> int:
    """Put items of a list or tuple, from ``index`` on, while compiled code can without a closer look; up to where."""
    return index


def put_pairs(sink: Sink, items: dict[Any, Any], key: int, kind: int, wire: int) -> bool:
    """The same for all pairs of a map whose keys are texts; False: none of them."""
    return False


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
