"""Says what a stream or a frame is that is none of the dialects that are spoken.

How others look is ``strangers``'s; nothing here touches a connection.
"""

from __future__ import annotations

from struct import Struct
from typing import Any

from thriftserver import wire
from thriftserver.codec.protocols import binary
from thriftserver.dialect.strangers import FRAMES, STREAMS, Stranger, beginning, find
from thriftserver.errors import WireError

_i32 = Struct(">i").unpack_from
#: The two bytes with which strict binary messages begin.
_STRICT = b"\x80\x01"


class Refusal(WireError):
    """The stream is none that is taken, or a message is out of bounds; nothing after this can be read.

    ``dialect`` names what it seems to be; ``answer`` is what such a peer would understand (empty: nothing).
    """

    def __init__(self, message: str, dialect: str = "", answer: bytes = b"") -> None:
        super().__init__(message)
        self.dialect = dialect
        self.answer = answer
        #: Nobody has to hear of it.
        self.quiet = False


def length_of(data: Any) -> int:
    """A frame's length, which its first four bytes say."""
    return _i32(data)[0]  # type: ignore[no-any-return]


def claimed(start: bytes) -> int:
    """The same of a stream that may not have so many; what is too short claims none."""
    return length_of(start) if len(start) >= 4 else -1


def begins_at(data: bytes, at: int, what: bytes) -> bool:
    """Does this stand there?"""
    return data.startswith(what, at)


def seqid_of(data: bytes) -> int:
    """The number in the head of THeader."""
    return _i32(data, 8)[0]  # type: ignore[no-any-return]


def words_of(data: bytes) -> int:
    """How many words follow that head."""
    return int.from_bytes(data[12:14], "big")


def recognise(start: bytes, length: int, max_frame: int) -> Refusal:
    """What a stream is whose first four bytes, read as a frame's length, are out of bounds."""
    dialect = None if start[4:6] == _STRICT else find(start, STREAMS)
    if dialect is not None:
        return _told(dialect, start)
    if length < 0:
        return Refusal(f"a frame's length is negative ({length}): the peer sent {beginning(start)}")
    problem = f"a frame of {length} bytes is larger than max-frame ({max_frame})"
    if start[:4].isascii() and start[:4].decode().isprintable() and start[4:6] != _STRICT:
        return Refusal(f"{problem}; or it is no frame: the peer sent {beginning(start)}", "text")
    return Refusal(problem, "oversize")


def is_stranger(start: bytes) -> bool:
    """Does a stream begin as something does that is known, and not spoken?"""
    return find(start, STREAMS) is not None


def can_tell(start: bytes, length: int) -> bool:
    """Do the first bytes of a stream, whose ``length`` is out of bounds, tell all that can be told: who speaks, and the
    header of the message that an answer needs?"""
    if length < 0 or (start[4:6] != _STRICT and is_stranger(start)):
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


def recognise_frame(frame: bytes) -> Refusal:
    """What a whole frame is whose header cannot be read; its ``answer``, if any, is to be sent as it is."""
    dialect = find(frame, FRAMES) if len(frame) > 1 else None
    if dialect is not None:
        return _told(dialect, frame)
    try:
        binary.read_header(frame)
        problem = "bad message"  # whoever asks has found it so
    except WireError as error:
        problem = str(error)
    return Refusal(f"{problem}; the frame of {len(frame)} bytes begins with {beginning(frame)}")


def _told(dialect: Stranger, data: bytes) -> Refusal:
    message = f"the peer speaks {dialect.name}; {dialect.advice}"
    return Refusal(message, dialect.name, dialect.refuse(data, message))
