"""One client's connection as a small state machine: bytes in, messages through the processor, replies out.

It is an object with a descriptor and no greenlet, so that an idle one costs next to nothing. How bytes become messages
is ``stream``'s business, whose turn it is the pump's; what a message means is the processor's. This one source runs on
plain CPython, and Cython compiles it, with ``_connection.pxd``, into the module ``_connection``.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from thriftserver import wire
from thriftserver.errors import EncodeError, WireError
from thriftserver.rpc.hangup import HungUp
from thriftserver.scoreboard import layout

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if not cython.compiled:
    from thriftserver.codec.header import Header
    from thriftserver.codec.memory import Sink, Source, recycle, waiting
    from thriftserver.dialect.transport import START, Transport
    from thriftserver.rpc.call import Call, Entry, Seat
    from thriftserver.rpc.within import clock
    from thriftserver.worker.io import BROKEN, copied, is_reset, transmit, utter
    from thriftserver.worker.pump import Pump
    from thriftserver.worker.stream import Stream

_READABLE = 0x1 | 0x2000 | 0x8 | 0x10  # EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP

#: Nanoseconds of waiting after which it is worth a system call to learn whether the caller is still there.
PATIENT = 10_000_000
#: Frames that one connection gets answered before others have their turn.
SHARE = 32

_SPOKEN = layout.COUNTER[layout.SPOKEN[wire.DIALECTS[0]]]
_BYTES_OUT = layout.COUNTER["bytes_out"]
_BAD_RESULT = layout.OUTCOMES.index("bad_result")


class Ticket:
    """The place of one reply in the order of a connection with several calls at once; its call sits in ``seat``."""

    __slots__ = ("done", "reply", "seat", "size")

    def __init__(self, seat: Seat) -> None:
        self.seat = seat
        self.done = False
        self.reply: Sink | None = None
        self.size = 0


class Connection(Stream):
    """One client. Frames are answered in order; ``running`` calls at once are at most ``width``.

    While a reply does not leave, nothing more is read: a peer that does not read holds one reply and one read's bytes.
    """

    __slots__ = (
        "condemned",
        "farewell",
        "label",
        "lingering",
        "offset",
        "order",
        "peer",
        "running",
        "sending",
        "since",
        "size",
        "unsent",
        "width",
    )

    def __init__(self, fd: int, peer: str, pump: Pump) -> None:
        Stream.__init__(self, fd, pump)
        self.peer = peer
        self.label = peer.encode("utf-8", "backslashreplace")[:64].ljust(64, b"\0")
        self.running = 0
        #: Calls that may run beside each other.
        self.width = pump.pipeline
        #: Nothing more of the stream can be understood, or is waited for: once what was asked before is answered, the
        #: peer is told ``farewell``, and that is the end.
        self.condemned = False
        self.farewell = b""
        #: Our side is shut; what still comes is thrown away.
        self.lingering = False
        self.since = self.received
        self.unsent: Any = None  # Sink
        self.offset = 0
        self.size = 0
        self.order: deque[Ticket] | None = None
        #: Somebody sends what is next in the order.
        self.sending = False

    def on_ready(self, seat: Seat) -> None:
        if not self.is_free():
            return  # whoever finishes looks again
        if self.lingering:
            self.discard()
        elif self.whole:
            self.serve_held(seat)
        elif self.more:
            self.read(seat)

    def without_seat(self) -> bool:
        if not self.is_free():
            return False
        pump = self.pump
        if self.lingering:
            self.discard()
        elif not self.whole and not self.more:
            self.rest()
        elif pump.draining and not pump.closing and self.running == 0:
            pump.leave(self)  # with what it has asked: there are seats elsewhere
        elif not self.whole and (self.ending or pump.draining):
            self.take_in()
            if self.whole or self.more:
                return True
            self.rest()
        else:
            return True
        return False

    def speak(self, transport: Transport) -> None:
        Stream.speak(self, transport)
        if transport.serial:
            self.width = 1

    def is_free(self) -> bool:
        """Send what is left; may the stream be read on?"""
        mask = self.mask
        self.mask = 0
        if mask & _READABLE:
            self.more = True
        if self.unsent is not None:
            self.flush()
        if self.fd < 0 or self.unsent is not None or self.taken or self.running >= self.width:
            return False
        return self.lingering or not self.condemned

    def read(self, seat: Seat) -> None:
        self.taken = True
        data = self.take()
        if data is None:
            self.taken = False
            self.rest()
            return
        known = self.held is None and (self.transport is not None or self.is_known(data))
        if known and self.transport.is_message(data):
            self.serve(data, seat)
            self.rest()
        else:
            self.hold(data)
            self.taken = False
            self.serve_held(seat)

    def may_serve(self) -> bool:
        """Is there a whole message, and may it be served now?"""
        if not self.whole or self.fd < 0 or self.unsent is not None or self.taken:
            return False
        return not self.condemned and self.running < self.width

    def serve_held(self, seat: Seat) -> None:
        transport: Transport = self.transport
        for _ in range(SHARE):
            if not self.may_serve():
                break
            self.taken = True
            held = self.held
            length = self.length
            if length < 0:
                self.taken = False
                self.refuse_stream(bytes(held[:START]))
                return
            frame = bytes(held[:length])
            del held[:length]
            transport.advance()
            self.measure()
            self.serve(frame, seat)
            if seat.spoiled:
                break
        self.rest()

    def serve(self, data: bytes, seat: Seat) -> None:
        """Answer a message with all that it is packed in. Whoever calls has ``taken`` the stream."""
        pump = self.pump
        transport: Transport = self.transport
        processor = pump.processor
        ticket = None
        if pump.pipeline > 1:
            ticket = Ticket(seat)
            if self.order is None:
                self.order = deque()
            self.order.append(ticket)
        now = clock()
        try:
            header = transport.open(data)
        except WireError as problem:
            if ticket is not None and self.order is not None:
                self.order.pop()
            self.taken = False
            refusal = transport.explain(problem, data)
            self.condemn(refusal, refusal.answer)
            return
        pump.slot.add(_SPOKEN + transport.number, 1)
        seat.left = self.reset or (now - self.received > PATIENT and is_reset(self.fd))
        self.running += 1  # until the reply is on its way: no end and no other call comes before it
        self.taken = False
        try:
            if self.running < self.width and (self.whole or self.more):
                pump.again(self)  # should this call wait, another fiber goes on with the next one
            entry = processor.find(header)
            reply = processor.serve(header, entry, seat, transport.name, self.peer, self.label, self.received, now)
            call = seat.call
            seat.call = None
            if pump.tap is not None and call is not None:
                self.overhear(header, call, data, reply)
            if call is None or call._reply_headers is None:
                reply = transport.wrap(header, reply, None)
            else:
                reply = self.wrap(transport, header, reply, call)
            size = 0 if reply is None else waiting(reply)
            if ticket is not None:
                ticket.reply = reply
                ticket.size = size
                ticket.done = True
                self.send_in_order()
            elif reply is not None and self.fd >= 0:
                self.send(reply, size)
        finally:
            self.running -= 1
        if call is not None:
            processor.settle(call, size, self.fd < 0 or self.reset)
        if transport.serial:
            self.follow(transport)

    def overhear(self, header: Header, call: Call, data: bytes, reply: Sink | None) -> None:
        """The reply is ready, and somebody listens: ``data`` is what the call came in."""
        pump = self.pump
        pump.untapped -= 1
        if pump.untapped > 0:
            return
        source: Source = header.source
        entry: Entry = call.entry
        try:
            pump.untapped = pump.tap.gap()
            keep = pump.tap.taking(call, entry.method, layout.OUTCOMES[call.ending], header)
            if keep is not None:
                keep(data, source.data, b"" if reply is None else copied(reply))
        except BaseException as error:  # noqa: BLE001 - as of observers: who listens must not cost a call
            tap = pump.tap
            pump.tap = None
            pump.processor.on_broken(tap, error)

    def wrap(self, transport: Transport, header: Header, reply: Sink | None, call: Call) -> Sink | None:
        """The reply with what the handler sends along, or the end; a call has failed whose headers cannot be sent."""
        if type(call.error) is HungUp:
            self.condemn(None, b"")
            return None
        try:
            return transport.wrap(header, reply, call._reply_headers)
        except EncodeError as error:
            processor = self.pump.processor
            return transport.wrap(header, processor.internal(header, call, error, _BAD_RESULT), None)

    def follow(self, transport: Transport) -> None:
        """What comes next on a connection whose calls cannot run beside each other."""
        if transport.last:
            self.condemn(None, b"")
        elif self.held is not None and not self.whole and self.fd >= 0:
            self.measure()

    def send(self, reply: Sink, size: int) -> None:
        """Send at once what the kernel takes; keep the rest until the descriptor is writable."""
        if self.reset:
            recycle(reply)
            return
        sent = transmit(self.fd, reply, 0, self.pump.closing)
        if sent == size:
            self.pump.slot.add(_BYTES_OUT, size)
            recycle(reply)
        elif sent == BROKEN:
            recycle(reply)
            self.lose()
        else:
            self.unsent = reply
            self.offset = max(sent, 0)
            self.size = size
            self.pump.blocked[self] = clock()
            self.pump.watch(self, True)

    def send_in_order(self) -> None:
        """Send what is done and next. A oneway, which is answered with nothing, holds up nobody."""
        if self.sending or self.order is None:
            return  # whoever sends comes to what is done by now
        self.sending = True
        order = self.order
        while order and self.unsent is None and self.fd >= 0:
            ticket = order[0]
            if not ticket.done and (ticket.seat.call is None or not ticket.seat.call.oneway):
                break
            order.popleft()
            if ticket.reply is not None:
                self.send(ticket.reply, ticket.size)
        self.sending = False

    def say(self, interim: bytes) -> None:
        if self.unsent is None and self.fd >= 0:
            utter(self.fd, interim)

    def flush(self) -> None:
        """Go on sending where it stopped."""
        sent = transmit(self.fd, self.unsent, self.offset, self.pump.closing)
        if sent == BROKEN:
            self.lose()
            return
        if sent <= 0:
            return
        self.offset += sent
        if self.offset < self.size:
            self.pump.blocked[self] = clock()
            self.pump.watch(self, True)
            return
        self.pump.slot.add(_BYTES_OUT, self.size)
        sink = self.unsent
        self.unsent = None
        recycle(sink)
        self.pump.blocked.pop(self, None)
        self.pump.watch(self, False)
        self.send_in_order()
        self.rest()

    def rest(self) -> None:
        """Nothing is to be done now: queue again for what is left, or see whether it is time to go."""
        if self.fd < 0 or self.unsent is not None:
            return
        if self.condemned:
            self.part()
            return
        if self.taken or self.running >= self.width:
            return
        if self.whole or self.more:
            self.pump.again(self)
        elif self.running == 0:
            self.since = self.pump.processor.now
            if self.ended:
                self.close()
            elif self.pump.draining and (self.held is None or not self.pump.closing):
                self.pump.leave(self)

    def lose(self) -> None:
        """The peer is gone: no reply reaches it. What it has sent that wants none is served all the same."""
        self.reset = True
        if self.unsent is not None:
            self.unsent = None
            self.pump.blocked.pop(self, None)
            self.pump.watch(self, False)
        self.more = not self.ended
        self.send_in_order()
        self.rest()

    def abandon(self) -> None:
        """The peer has kept us waiting for too long: as if it had gone, with all that it would still send."""
        self.ended = True
        if self in self.pump.untold:
            self.measure()
            self.rest()
        elif self.unsent is None:
            self.condemn(None, b"")
        else:
            self.lose()

    def refuse_stream(self, start: bytes) -> None:
        """The stream can never be a message: one answer, if it can be understood, and hang up."""
        problem = self.transport.refuse(start)
        self.condemn(problem, problem.answer)

    def condemn(self, problem: WireError | None, farewell: bytes) -> None:
        """Nothing after this is read: answer what was asked before, say ``farewell``, and hang up."""
        self.condemned = True
        self.farewell = farewell
        self.held = None
        self.whole = False
        self.pump.partial.pop(self, None)
        self.pump.untold.pop(self, None)
        if problem is not None and not getattr(problem, "quiet", False):
            self.pump.complain(self, problem)
        self.rest()

    def part(self) -> None:
        """Hang up, unless there is an answer to wait for."""
        self.send_in_order()
        if self.lingering or self.unsent is not None or self.fd < 0:
            return
        if self.order or (self.running > 0 and self.pump.pipeline == 1):
            return
        self.pump.hang_up(self, self.farewell)

    def discard(self) -> None:
        """Throw away what a peer sends that we have said good-bye to, so that our last words reach it."""
        if self.throw_away():
            self.close()

    def is_idle(self) -> bool:
        """Neither serving a call nor waiting for the rest of one."""
        if self.running > 0 or self.taken or self.queued or self.held is not None or self.unsent is not None:
            return False
        return not self.condemned and not self.lingering

    def close(self) -> None:
        if self.fd >= 0:
            self.pump.close(self)
