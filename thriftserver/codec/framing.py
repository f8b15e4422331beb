"""Says what a stream is that is not framed Thrift, and what a frame holds that is no binary message.

How other dialects look is ``dialects``'s; nothing here touches a connection.
"""

from __future__ import annotations

from struct import Struct

from thriftserver import wire
from thriftserver.codec.binary import read_header
from thriftserver.codec.dialects import FRAMES, STREAMS, Dialect, beginning, find
from thriftserver.errors import WireError

_i32 = Struct(">i").unpack_from
#: The two bytes with which strict binary messages begin.
_STRICT = b"\x80\x01"


class Unframed(WireError):
    """The stream is not framed binary Thrift, or a frame is out of bounds; nothing after this can be read.

    ``dialect`` names what it seems to be; ``answer`` is what such a peer would understand (empty: nothing).
    """

    def __init__(self, message: str, dialect: str = "", answer: bytes = b"") -> None:
        super().__init__(message)
        self.dialect = dialect
        self.answer = answer


def recognise(start: bytes, length: int, max_frame: int) -> Unframed:
    """What a stream is whose first four bytes, read as a frame's length, are out of bounds."""
    dialect = None if start[4:6] == _STRICT else find(start, STREAMS)
    if dialect is not None:
        return _told(dialect, start)
    if length < 0:
        return Unframed(f"a frame's length is negative ({length}): the peer sent {beginning(start)}")
    problem = f"a frame of {length} bytes is larger than max-frame ({max_frame})"
    if start[:4].isascii() and start[:4].decode().isprintable() and start[4:6] != _STRICT:
        return Unframed(f"{problem}; or it is no frame: the peer sent {beginning(start)}", "text")
    return Unframed(problem, "oversize")


def can_tell(start: bytes, length: int) -> bool:
    """Do the first bytes of a stream, whose ``length`` is out of bounds, tell all that can be told: who speaks, and the
    header of the message that an answer needs?"""
    if length < 0 or (start[4:6] != _STRICT and find(start, STREAMS) is not None):
        return True
    return len(start) - 4 >= _header_size(start[4:])


def _header_size(start: bytes) -> int:
    """How many bytes a message's header has, as far as its own first ones tell: no fewer than so many."""
    if start and start[0] not in (0x80, 0):
        return 0
    if len(start) < 4:
        return 4
    size, rest = _i32(start)[0], 9
    if size < 0:
        if len(start) < 8:
            return 8
        size, rest = _i32(start, 4)[0], 12
    return rest + size if 0 <= size <= wire.MAX_NAME else 0


def recognise_frame(frame: bytes) -> Unframed:
    """What a whole frame is whose header cannot be read; its ``answer``, if any, is to be sent as it is."""
    dialect = find(frame, FRAMES) if len(frame) > 1 else None
    if dialect is not None:
        return _told(dialect, frame)
    try:
        read_header(frame)
        problem = "bad message"  # whoever asks has found it so
    except WireError as error:
        problem = str(error)
    return Unframed(f"{problem}; the frame of {len(frame)} bytes begins with {beginning(frame)}")


def _told(dialect: Dialect, data: bytes) -> Unframed:
    message = f"the peer speaks {dialect.name}; {dialect.advice}"
    return Unframed(message, dialect.name, dialect.refuse(data, message))
