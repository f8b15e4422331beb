"""Bytes being read and bytes being written, whatever protocol they are of.

``_memory`` has the C twins. Nothing here decides anything about Thrift: no types, no limits but the end of the data.
"""

from __future__ import annotations

from io import BytesIO
from struct import Struct
from typing import Any

from thriftserver.codec.fault import Fault, Short
from thriftserver.codec.odd import odd_bytes

#: The largest size that Thrift has room for.
MOST = 0x7FFFFFFF
#: Bytes that a message's sink keeps free in front, for what a transport puts there.
FRONT = 32

_i32 = Struct(">i")
_BYTES = [bytes((value,)) for value in range(256)]


class Source:
    """Bytes being read: ``pos`` moves on to ``end``; ``depth`` counts the containers around the current value.

    ``code`` and ``key_code`` are the wire types in the container that was opened last, ``field`` is the id of the field
    that was; ``state`` is the protocol's own. The other counters are of fields that versioning forgives: ``skipped``
    are unknown ones and those of another wire type, ``repeated`` the ones that replace an earlier value, ``misordered``
    all others after one of a higher id.
    """

    __slots__ = (
        "code",
        "data",
        "depth",
        "end",
        "field",
        "key_code",
        "misordered",
        "pos",
        "repeated",
        "skipped",
        "state",
    )

    def __init__(self, data: bytes, pos: int) -> None:
        self.data = data
        self.pos = pos
        self.end = len(data)
        self.code = self.key_code = self.field = self.state = 0
        self.depth = self.skipped = self.repeated = self.misordered = 0


class Sink(BytesIO):
    """Bytes being written; ``depth`` counts the containers around the current value, ``first`` is where what is to be
    sent begins, ``field`` and ``state`` are the protocol's own."""

    __slots__ = ("depth", "field", "first", "state")

    def __init__(self) -> None:
        super().__init__()
        self.depth = self.field = self.state = self.first = 0


def new_source(data: bytes, pos: int) -> Source:
    if pos < 0:
        raise ValueError(f"position {pos} lies before the data")
    return Source(data, pos)


def view(data: Any, pos: int) -> Source:
    """A source over bytes that grow, a bytearray; they must not while it is used."""
    return Source(data, pos)


def new_sink(message: bool) -> Sink:
    """An empty sink; one for a message keeps room in front."""
    sink = Sink()
    if message:
        sink.write(bytes(FRONT))
        sink.first = FRONT
    return sink


def finish(sink: Sink) -> bytes:
    """All that was put; nobody touches the sink after it."""
    return sink.getvalue()[sink.first :]


def finish_frame(sink: Sink) -> bytes:
    """The same behind its length."""
    seal(sink)
    return finish(sink)


def seal(sink: Sink) -> int:
    """Put the length in front of a message; how many bytes the frame has."""
    size = sink.tell() - FRONT
    if size > MOST:
        raise OverflowError("a frame of more than 2 GiB")
    put_front(sink, _i32.pack(size))
    return size + 4


def waiting(sink: Sink) -> int:
    """How many bytes are to be sent."""
    return sink.tell() - sink.first


def size_of(sink: Sink) -> int:
    """The same for code that is not compiled."""
    return waiting(sink)


def sink_of(data: bytes) -> Sink:
    """A sink that holds this and nothing else."""
    sink = new_sink(False)
    sink.write(data)
    return sink


def put_front(sink: Sink, data: bytes) -> bool:
    """Put bytes in front of what is to be sent; False when there is no room for so many."""
    if len(data) > sink.first:
        return False
    end = sink.tell()
    sink.first -= len(data)
    sink.seek(sink.first)
    sink.write(data)
    sink.seek(end)
    return True


def patch(sink: Sink, at: int, number: int) -> None:
    """Put a number of four bytes over what stands ``at`` bytes behind the beginning of what is to be sent."""
    end = sink.tell()
    sink.seek(sink.first + at)
    sink.write(_i32.pack(number))
    sink.seek(end)


def length(sink: Sink) -> int:
    """How many bytes have been put, what is kept free in front included."""
    return sink.tell()


def cut(sink: Sink, start: int) -> bytes:
    """Take out what was put after the first ``start`` bytes, as ``length`` counts them."""
    sink.seek(start)
    data = sink.read()
    sink.seek(start)
    sink.truncate()
    return data


def recycle(sink: Sink) -> None:
    """Nobody uses the sink any more: compiled code keeps its memory."""


def short(source: Source, size: int) -> Short:
    """The fault of data that ends too early; ``pos`` must not have moved yet."""
    return Short(size, max(source.end - source.pos, 0))


def check_size(source: Source, size: int, width: int) -> None:
    """Refuse a container that claims more elements than the rest of the data could hold."""
    if size > (source.end - source.pos) // width:
        raise Fault(f"size {size} is more than the {source.end - source.pos} bytes left can hold")


def take_u8(source: Source) -> int:
    pos = source.pos
    if pos >= source.end:
        raise short(source, 1)
    source.pos = pos + 1
    return source.data[pos]


def take_raw(source: Source, size: int) -> bytes:
    pos = source.pos
    if size > source.end - pos:
        raise short(source, size)
    source.pos = pos + size
    return source.data[pos : pos + size]


def take_utf8(source: Source, size: int) -> str:
    pos = source.pos
    if size > source.end - pos:
        raise short(source, size)
    try:
        text = source.data[pos : pos + size].decode()
    except UnicodeDecodeError as error:
        raise Fault(f"invalid UTF-8 at byte {error.start} of {size}") from None
    source.pos = pos + size
    return text


def take_known(source: Source, size: int) -> str:
    """A text that is probably short and seen before; compiled code keeps some."""
    return take_utf8(source, size)


def pass_over(source: Source, size: int) -> None:
    if size > source.end - source.pos:
        raise short(source, size)
    source.pos += size


def put_u8(sink: Sink, value: int) -> None:
    sink.write(_BYTES[value])


def put_raw(sink: Sink, data: bytes) -> None:
    sink.write(data)


def utf8_of(value: Any) -> bytes | None:
    """What a text holds, whatever a method of its own says; None for what is none, or cannot be UTF-8."""
    if not issubclass(type(value), str):
        return None
    try:
        return _fitting(str.encode(value))
    except UnicodeEncodeError:
        return None


def bytes_of(value: Any) -> bytes | None:
    """The same of a binary."""
    if not issubclass(type(value), bytes):
        value = odd_bytes(value)
        if value is None:
            return None
    return _fitting(bytes.__getitem__(value, slice(None)))


def _fitting(data: bytes) -> bytes:
    if len(data) > MOST:
        raise too_long(len(data))
    return data


def too_long(size: int) -> Fault:
    return Fault(f"a text or binary of {size} bytes; 2 GiB is the most")
