"""Records on their way out of several workers through one socket, which keeps messages whole and not streams.

Each message is a piece of one worker's stream of records: whose, and whether it is where a record begins and ends. A
worker that has to leave something out goes on with a piece that begins anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from struct import Struct

from thriftserver.capture.records import Record, Unreadable, split

#: Bytes of a piece: many fit into what the kernel keeps for a socket.
PIECE = 32_768
_HEAD = Struct("!IB")
_BEGINS, _ENDS = 1, 2


def cut(sender: int, data: bytes | bytearray) -> Iterator[bytes]:
    """Whole records of this process as pieces."""
    for start in range(0, len(data), PIECE):
        end = start + PIECE
        flags = (_BEGINS if start == 0 else 0) | (_ENDS if end >= len(data) else 0)
        yield _HEAD.pack(sender, flags) + data[start:end]


class Joining:
    """Pieces of several workers as records again."""

    def __init__(self) -> None:
        self._parts: dict[int, bytearray] = {}

    def take(self, piece: bytes) -> list[Record]:
        """The records that have become whole with this piece. What is none of ours is passed over."""
        if len(piece) < _HEAD.size:
            return []
        sender, flags = _HEAD.unpack_from(piece)
        if flags & _BEGINS:
            self._parts[sender] = bytearray()
        part = self._parts.get(sender)
        if part is None:
            return []
        part += memoryview(piece)[_HEAD.size :]
        if not flags & _ENDS:
            return []
        del self._parts[sender]
        found: list[Record] = []
        with suppress(Unreadable):  # code in a worker writes what it likes
            found.extend(split(part))
        return found
