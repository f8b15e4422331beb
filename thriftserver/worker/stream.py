"""The bytes of one peer, from the kernel until they are whole frames.

It knows what a frame's length says and nothing of calls or replies (``connection`` does). This one source runs on plain
CPython, and Cython compiles it, with ``_stream.pxd``, into the module ``_stream``.
"""

from __future__ import annotations

from struct import Struct
from typing import Any

from thriftserver.codec.framing import can_tell
from thriftserver.scoreboard import layout

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if not cython.compiled:
    from thriftserver.rpc.within import clock
    from thriftserver.worker.io import INBOX, receive
    from thriftserver.worker.pump import Member, Pump

#: Bytes that tell what a stream is.
START = 1024

_BYTES_IN = layout.COUNTER["bytes_in"]
_length = Struct(">i").unpack_from


def length_of(held: bytearray) -> int:
    """What the first four bytes say."""
    return _length(held)[0]  # type: ignore[no-any-return]


class Stream(Member):
    """The receiving half of a connection.

    Foreign code can run wherever an object is made (a finalizer), and it may let other fibers run. So bytes belong to
    who has read them, and ``taken`` keeps others away from the stream until it is known what is to be done with them.
    """

    __slots__ = ("ended", "held", "more", "pump", "received", "taken", "whole")

    def __init__(self, fd: int, pump: Pump) -> None:
        Member.__init__(self, fd)
        self.pump = pump
        #: There may be something to read.
        self.more = False
        #: Somebody is between reading bytes and knowing the call in them.
        self.taken = False
        #: We have read up to the end of the stream.
        self.ended = False
        #: Bytes received and not served, and whether they hold a whole frame.
        self.held: Any = None  # bytearray
        self.whole = False
        self.received = clock()

    def take(self) -> bytes | None:
        """Bytes from the kernel; None when there are none, and perhaps never will be."""
        self.more = False  # before the read: who is told of more meanwhile must not be overruled
        try:
            data = receive(self.fd)
        except OSError:
            self.reset = self.ended = True
            return None
        if data is None:
            return None
        if not data:
            self.ended = True
            if self.held is not None:
                self.measure()
            return None
        if self.ending or len(data) == INBOX:
            self.more = True
        self.received = self.ready_at
        self.pump.slot.add(_BYTES_IN, len(data))
        return data

    def take_in(self) -> None:
        """Read, and serve nothing."""
        self.taken = True
        data = self.take()
        if data is not None:
            self.hold(data)
        self.taken = False

    def hold(self, data: bytes) -> None:
        """Keep bytes until they are a frame."""
        if self.held is None:
            self.held = bytearray()
            self.pump.partial[self] = clock()
        self.held += data
        self.measure()

    def measure(self) -> None:
        """Is there a whole frame, or something that never will be one?"""
        held = self.held
        size = len(held)
        if size == 0:
            self.held = None
            self.pump.partial.pop(self, None)
            self.whole = False
            return
        if size < 4:
            self.whole = False
            return
        length = length_of(held)
        if 0 <= length <= self.pump.max_frame:
            self.whole = size - 4 >= length
        else:
            self.whole = self.ended or can_tell(bytes(held[:START]), length)
            if not self.whole and self not in self.pump.untold:
                self.pump.untold[self] = clock()
        if self.whole:
            self.pump.partial.pop(self, None)
        elif self not in self.pump.partial:
            self.pump.partial[self] = clock()

    def throw_away(self) -> bool:
        """Read for nothing what has come; whether that was all that ever will."""
        self.more = False
        try:
            data = receive(self.fd)
            while data:
                data = receive(self.fd)
        except OSError:
            return True
        return data is not None
