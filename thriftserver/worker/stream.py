"""The bytes of one peer, from the kernel until they are whole messages.

Where a message ends its ``transport`` knows; nothing here knows calls or replies (``connection`` does). This one source
runs on plain CPython, and Cython compiles it, with ``_stream.pxd``, into the module ``_stream``.
"""

from __future__ import annotations

from typing import Any

from thriftserver.scoreboard import layout

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if not cython.compiled:
    from thriftserver.dialect.transport import MORE, START, UNTOLD, Transport
    from thriftserver.rpc.within import clock
    from thriftserver.worker.io import INBOX, receive
    from thriftserver.worker.pump import Member, Pump

_BYTES_IN = layout.COUNTER["bytes_in"]
_DIALECT = layout.DIALECT


class Stream(Member):
    """The receiving half of a connection.

    Foreign code can run wherever an object is made (a finalizer), and it may let other fibers run. So bytes belong to
    who has read them, and ``taken`` keeps others away from the stream until it is known what is to be done with them.
    """

    __slots__ = ("ended", "held", "length", "more", "pump", "received", "taken", "transport", "whole")

    def __init__(self, fd: int, pump: Pump) -> None:
        Member.__init__(self, fd)
        self.pump = pump
        #: There may be something to read.
        self.more = False
        #: Somebody is between reading bytes and knowing the call in them.
        self.taken = False
        #: We have read up to the end of the stream.
        self.ended = False
        #: How this peer packs its messages; None until its first bytes have told.
        self.transport: Any = None  # Transport
        #: Bytes received and not served, whether they hold a whole message or can never be one, and its length.
        self.held: Any = None  # bytearray
        self.whole = False
        self.length = 0
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

    def speak(self, transport: Transport) -> None:
        """It is known now how this peer packs its messages."""
        self.transport = transport
        if transport.number >= 0:
            self.pump.slot.add(_DIALECT + transport.number, 1)

    def is_known(self, data: Any) -> bool:
        """Do the first bytes tell, or have they told, how this peer packs its messages?"""
        if self.transport is None:
            found = self.pump.ear.detect(bytes(data[:START]), self.ended)
            if found is not None:
                self.speak(found)
        return self.transport is not None

    def hold(self, data: bytes) -> None:
        """Keep bytes until they are a message."""
        if self.held is None:
            self.held = bytearray()
            self.pump.partial[self] = clock()
        self.held += data
        self.measure()

    def measure(self) -> None:
        """Is there a whole message, or something that never will be one?"""
        held = self.held
        if len(held) == 0:
            self.held = None
            self.pump.partial.pop(self, None)
            self.whole = False
            return
        if self.is_known(held):
            length = self.transport.measure(held, self.ended)
        else:
            length = UNTOLD if self.pump.ear.is_oversize(bytes(held[:START])) else MORE
        if length == UNTOLD:
            length = MORE
            if self not in self.pump.untold:
                self.pump.untold[self] = clock()
        self.length = length
        self.whole = length != MORE
        if self.whole:
            self.pump.partial.pop(self, None)
        elif self not in self.pump.partial:
            self.pump.partial[self] = clock()
        if self.transport is not None and self.transport.interim:
            self.say(self.transport.interim)
            self.transport.interim = b""

    def say(self, interim: bytes) -> None:
        """Send what a peer waits for before it sends the rest of a message."""
        raise NotImplementedError

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
