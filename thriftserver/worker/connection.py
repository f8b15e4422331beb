"""One client's connection as a small state machine: bytes in, frames through the processor, replies out.

It is an object with a descriptor and no greenlet, so that an idle one costs next to nothing. Whose turn it is, is the
pump's business; what a frame means is the processor's. This one source runs on plain CPython, and Cython compiles it,
with ``_connection.pxd``, into the module ``_connection``.
"""

from __future__ import annotations

from collections import deque
from struct import Struct
from typing import Any

from thriftserver.codec.framing import recognise
from thriftserver.errors import WireError
from thriftserver.scoreboard import layout

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if not cython.compiled:
    from thriftserver.codec.message import put_error, take_header
    from thriftserver.codec.seam import Sink, Source, new_source, recycle, seal
    from thriftserver.rpc.processor import Seat
    from thriftserver.rpc.within import clock
    from thriftserver.worker.io import (
        INBOX,
        has_left,
        inbox_bytes,
        inbox_frame,
        inbox_length,
        receive,
        transmit,
    )
    from thriftserver.worker.pump import Member, Pump

_READABLE = 0x1 | 0x2000 | 0x8 | 0x10  # EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP

#: Nanoseconds of waiting after which it is worth a system call to learn whether the caller is still there.
PATIENT = 10_000_000
#: Frames that one connection gets answered before others have their turn.
SHARE = 32

_BYTES_IN = layout.COUNTER["bytes_in"]
_BYTES_OUT = layout.COUNTER["bytes_out"]
_length = Struct(">i").unpack_from


class Ticket:
    """The place of one reply in the order of a connection with several calls at once."""

    __slots__ = ("done", "reply", "size")

    def __init__(self) -> None:
        self.done = False
        self.reply: Sink | None = None
        self.size = 0


class Connection(Member):
    """One client. Frames are answered in order; ``running`` calls at once are at most ``pump.pipeline``.

    While a reply does not leave, nothing more is read, so a peer that does not read holds one reply and one inbox.
    """

    __slots__ = (
        "call",
        "deferred",
        "ended",
        "held",
        "label",
        "lingering",
        "more",
        "offset",
        "order",
        "peer",
        "pump",
        "received",
        "running",
        "since",
        "size",
        "unsent",
        "whole",
    )

    def __init__(self, fd: int, peer: str, pump: Pump) -> None:
        Member.__init__(self, fd)
        self.peer = peer
        self.label = peer.encode("utf-8", "backslashreplace")[:64].ljust(64, b"\0")
        self.pump = pump
        self.running = 0
        #: There may be something to read.
        self.more = False
        #: We have read up to the end of the stream.
        self.ended = False
        #: Our side is shut; what still comes is thrown away.
        self.lingering = False
        #: Bytes received and not served, and whether they hold a whole frame.
        self.held: Any = None  # bytearray
        self.whole = False
        self.received = clock()
        self.since = self.received
        self.unsent: Any = None  # Sink
        #: The reply waits in the pump's outbox; its call.
        self.deferred = False
        self.call: Any = None
        self.offset = 0
        self.size = 0
        self.order: deque[Ticket] | None = None

    def on_ready(self, seat: Seat) -> None:
        mask = self.mask
        self.mask = 0
        if mask & _READABLE:
            self.more = True
        if self.unsent is not None and not self.deferred:
            self.flush()
        if self.fd < 0 or self.unsent is not None or self.running >= self.pump.pipeline:
            return  # whoever finishes looks again
        if self.lingering:
            self.discard()
        elif self.whole:
            self.serve_held(seat)
        elif self.more:
            self.read(seat)

    def read(self, seat: Seat) -> None:
        size = receive(self.fd)
        if size <= 0:
            self.more = False
            if size == 0:
                self.ended = True
            elif size < -1:
                self.close()
                return
            self.rest()
            return
        self.more = size == INBOX or self.ending
        self.received = self.ready_at
        self.pump.slot.add(_BYTES_IN, size)
        if self.held is None and size >= 4 and inbox_length() == size - 4 and size - 4 <= self.pump.max_frame:
            self.serve(inbox_frame(size), seat)
            self.rest()
        else:
            self.hold(inbox_bytes(size))
            self.serve_held(seat)

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
        length = _length(held)[0]
        self.whole = not 0 <= length <= self.pump.max_frame or size - 4 >= length
        if self.whole:
            self.pump.partial.pop(self, None)
        elif self not in self.pump.partial:
            self.pump.partial[self] = clock()

    def may_serve(self) -> bool:
        """Is there a whole frame, and may it be served now?"""
        return self.whole and self.fd >= 0 and self.unsent is None and self.running < self.pump.pipeline

    def serve_held(self, seat: Seat) -> None:
        pump = self.pump
        for _ in range(SHARE):
            if not self.may_serve():
                break
            held = self.held
            length = _length(held)[0]
            if not 0 <= length <= pump.max_frame:
                self.refuse_stream(bytes(held[:1024]), length)
                return
            frame = bytes(held[4 : 4 + length])
            del held[: 4 + length]
            self.measure()
            if self.running + 1 < pump.pipeline and (self.whole or self.more):
                pump.again(self)  # should this call wait, another fiber goes on with the next one
            self.serve(new_source(frame, 0), seat)
            if seat.spoiled:
                break
        self.rest()

    def serve(self, source: Source, seat: Seat) -> None:
        """Answer one message."""
        pump = self.pump
        ticket = None
        if pump.pipeline > 1:
            ticket = Ticket()
            if self.order is None:
                self.order = deque()
            self.order.append(ticket)
        now = clock()
        waited = now - self.received > PATIENT
        seat.left = waited and (self.gave_up or (not self.ending and not self.more and has_left(self.fd)))
        self.running += 1
        try:
            reply = pump.processor.serve(source, seat, self.peer, self.label, self.received, now)
        except WireError as error:
            self.running -= 1
            self.fail(error, b"")
            return
        self.running -= 1
        call = seat.call
        seat.call = None
        size = 0 if reply is None else seal(reply)
        if ticket is not None:
            ticket.reply = reply
            ticket.size = size
            ticket.done = True
            self.send_in_order()
        elif reply is not None and self.fd >= 0:
            if pump.may_defer() and not self.whole:
                self.unsent = reply
                self.size = size
                self.call = call
                self.deferred = True
                pump.outbox.append(self)
                return
            self.send(reply, size)
        if call is not None:
            pump.processor.settle(call, size, self.fd < 0)

    def send_deferred(self) -> None:
        """Send the reply that waited for others to go with."""
        reply = self.unsent
        call = self.call
        self.unsent = None
        self.call = None
        self.deferred = False
        if self.fd >= 0:
            self.send(reply, self.size)
        if call is not None:
            self.pump.processor.settle(call, self.size, self.fd < 0)
        self.rest()

    def send(self, reply: Sink, size: int) -> None:
        """Send at once what the kernel takes; keep the rest until the descriptor is writable."""
        sent = transmit(self.fd, reply, 0, self.pump.closing)
        if sent == size:
            self.pump.slot.add(_BYTES_OUT, size)
            recycle(reply)
        elif sent < -1:
            self.close()
        else:
            self.unsent = reply
            self.offset = max(sent, 0)
            self.size = size
            self.pump.blocked[self] = clock()
            self.pump.watch(self, True)

    def send_in_order(self) -> None:
        order = self.order
        while order and self.unsent is None and self.fd >= 0:
            ticket = order[0]
            if not ticket.done:
                return
            order.popleft()
            if ticket.reply is not None:
                self.send(ticket.reply, ticket.size)

    def flush(self) -> None:
        """Go on sending where it stopped."""
        sent = transmit(self.fd, self.unsent, self.offset, self.pump.closing)
        if sent < -1:
            self.close()
            return
        if sent <= 0:
            return
        self.offset += sent
        if self.offset < self.size:
            self.pump.blocked[self] = clock()
            self.pump.watch(self, True)
            return
        self.pump.slot.add(_BYTES_OUT, self.size)
        recycle(self.unsent)
        self.unsent = None
        self.pump.blocked.pop(self, None)
        self.pump.watch(self, False)
        if self.order is not None:
            self.send_in_order()
        self.rest()

    def rest(self) -> None:
        """Nothing is to be done now: queue again for what is left, or see whether it is time to go."""
        if self.fd < 0 or self.unsent is not None or self.running >= self.pump.pipeline:
            return
        if self.whole or self.more:
            self.pump.again(self)
        elif self.running == 0:
            self.since = self.pump.processor.now
            if self.ended:
                self.close()
            elif self.pump.draining and (self.held is None or not self.pump.closing):
                self.pump.leave(self)

    def refuse_stream(self, start: bytes, length: int) -> None:
        """The stream is not framed Thrift, or the frame too large: one answer, if it can be understood, and hang up."""
        problem = recognise(start, length, self.pump.max_frame)
        answer = problem.answer
        if length > 0 and not answer:
            try:
                header = take_header(new_source(start, 4))
                reply = put_error(header, problem.type, str(problem))
                self.send(reply, seal(reply))
            except WireError:
                pass
        self.fail(problem, answer)

    def fail(self, error: WireError, answer: bytes) -> None:
        """Nothing after this can be read."""
        self.pump.complain(self, error)
        if self.fd >= 0:
            self.pump.hang_up(self, answer)

    def discard(self) -> None:
        """Throw away what a peer sends that we have said good-bye to, so that our last words reach it."""
        size = receive(self.fd)
        while size > 0:
            size = receive(self.fd)
        self.more = False
        if size != -1:
            self.close()

    def is_idle(self) -> bool:
        """Neither serving a call nor waiting for the rest of one."""
        return self.running == 0 and self.held is None and self.unsent is None and not self.lingering

    def close(self) -> None:
        if self.fd >= 0:
            self.pump.close(self)
