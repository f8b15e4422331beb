"""The set of descriptors and the queue of those whose turn it is.

The pump asks an epoll set of its own, edge-triggered, who is ready, and gives each its turn in the order of arrival.
What a turn is, is the member's business (``worker.connection``, ``worker.accept``); closing, leaving and time are the
loop's (``worker.loop``). This one source runs on plain CPython, and Cython compiles it, with ``_pump.pxd``, into the
module ``_pump``.
"""

from __future__ import annotations

from typing import Any

from thriftserver.errors import WireError

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if not cython.compiled:
    from thriftserver.rpc.processor import Processor, Seat
    from thriftserver.rpc.within import clock
    from thriftserver.worker.io import find, found_fd, found_mask

#: What is watched for: bytes and the end of the stream, each told once (edge-triggered).
_WATCHED = 0x1 | 0x2000 | 0x80000000  # EPOLLIN | EPOLLRDHUP | EPOLLET
_WRITABLE = 0x4  # EPOLLOUT
_ENDING = 0x2000 | 0x8 | 0x10  # EPOLLRDHUP | EPOLLERR | EPOLLHUP

#: Ready descriptors taken from the kernel at once.
BATCH = 256
#: Replies that are sent together, and nanoseconds that the first of them may wait for it. A client that sleeps is woken
#: once by several replies, not once by each, which is a tenth of what a call costs.
BURST = 32
HASTE = 250_000
#: After a call that took longer than HASTE, so many are answered at once: the next one may be slow too.
CAUTION = 1000
#: Nanoseconds of work after which arrivals are noticed, so that the time they have waited is known.
NOTICE = 1_000_000


class Member:
    """What has a descriptor in the set. ``ready_at`` is when it was found ready, in monotonic nanoseconds."""

    __slots__ = ("ending", "fd", "gave_up", "mask", "queued", "ready_at", "urgent")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.mask = 0
        self.queued = False
        self.ready_at = 0
        #: The kernel has told of the end of the stream.
        self.ending = False
        #: The peer closed its side while it waited for its turn.
        self.gave_up = False
        #: Its turn runs no call, so it need not wait for one; it gets no seat.
        self.urgent = False

    def on_ready(self, seat: Any) -> None:
        """Its turn; ``seat`` is where calls sit that are served in it."""
        raise NotImplementedError

    def send_deferred(self) -> None:
        """Send the reply that waited for others to go with."""
        raise NotImplementedError


class Pump:
    """The set, the queue and the turns. ``worker.loop.Loop`` fills in what is not a connection's everyday life."""

    def __init__(self, epoll: Any, processor: Processor, max_inflight: int, pipeline: int) -> None:
        self.epoll = epoll
        self.epoll_fd = epoll.fileno()
        self.processor = processor
        self.slot = processor.slot
        self.max_frame = processor.max_frame
        self.max_inflight = max_inflight
        self.pipeline = pipeline
        self.draining = False
        #: Draining to the end: no successor takes the connections.
        self.closing = False
        #: Work is left though all that may run is running.
        self.stalled = False
        self.kicked = False
        self.polled = 0
        #: Those whose turn it is, from ``head`` on: a list costs a fraction of a deque here.
        self.queue: list[Any] = []
        self.head = 0
        self.urgent: list[Any] = []
        #: Connections with a reply that is sent together with those of others, and since when.
        self.outbox: list[Any] = []
        self.burst_since = 0
        self.caution = 0
        self.members: list[Member | None] = []
        #: Connections with a part of a frame, and with a part of a reply, since when.
        self.partial: dict[Any, int] = {}
        self.blocked: dict[Any, int] = {}

    def collect(self) -> None:
        """Queue what has become ready."""
        count = find(self.epoll_fd if cython.compiled else self.epoll, BATCH)
        now = clock()
        self.polled = now
        for index in range(count):
            fd = found_fd(index)
            member = self.members[fd]
            if member is not None:
                mask = found_mask(index)
                member.mask |= mask
                if mask & _ENDING:
                    member.ending = True
                    member.gave_up = member.gave_up or member.queued
                if not member.queued:
                    member.queued = True
                    member.ready_at = now
                    if member.urgent:
                        self.urgent.append(member)
                    else:
                        self.queue.append(member)
        if self.urgent:
            self.admit()

    def admit(self) -> None:
        """Let those go first whose turn runs no call: new connections are taken whatever else waits."""
        urgent = self.urgent
        self.urgent = []
        for member in urgent:
            member.queued = False
            if member.fd >= 0:
                try:
                    member.on_ready(None)
                except Exception as error:  # noqa: BLE001 - as in turn
                    self.failed(member, error)

    def turn(self, seat: Seat) -> None:
        """Give everybody who is ready a turn, in the order of arrival; collect who is, first and now and then."""
        queue = self.queue
        processor = self.processor
        self.collect()
        while self.head < len(queue):
            member = queue[self.head]
            if processor.active >= self.max_inflight and not self.overdue(member):
                self.stalled = True
                break
            self.step()
            member.queued = False
            if (self.head < len(queue) or self.outbox) and not self.kicked:
                self.kick()
            if member.fd >= 0:
                try:
                    member.on_ready(seat)
                except Exception as error:  # noqa: BLE001 - the wall of one connection: a fault of ours ends it alone
                    self.failed(member, error)
            if seat.spoiled:
                break  # another fiber goes on
            if len(self.outbox) >= BURST or (self.outbox and processor.now - self.burst_since > HASTE):
                self.send_outbox()
            if processor.now - self.polled > NOTICE:
                self.collect()
        self.send_outbox()

    def may_defer(self) -> bool:
        """May a reply wait for a few others? Not while calls take their time, nor for the last one of a turn."""
        if self.caution > 0:
            self.caution -= 1
            return False
        now = clock()
        if now - self.processor.now > HASTE:
            self.caution = CAUTION
            self.processor.now = now  # so that those who wait already go next
            return False
        if self.head == len(self.queue) or self.closing:
            return False
        if not self.outbox:
            self.burst_since = self.processor.now
        return True

    def send_outbox(self) -> None:
        """Send the replies that have waited for each other."""
        outbox = self.outbox
        if outbox:
            self.outbox = []
            for member in outbox:
                try:
                    member.send_deferred()
                except Exception as error:  # noqa: BLE001 - as in turn
                    self.failed(member, error)

    def step(self) -> None:
        """The first in the queue is taken out."""
        queue = self.queue
        queue[self.head] = None
        self.head += 1
        if self.head == len(queue) or self.head >= 4096:
            del queue[: self.head]
            self.head = 0

    def waiting(self) -> int:
        """How many are in the queue."""
        return len(self.queue) - self.head

    def overdue(self, member: Member) -> bool:
        """Has it waited so long that it will be refused, which needs no room?"""
        limit = self.processor.queue_timeout
        return limit > 0 and clock() - member.ready_at > limit

    def again(self, member: Member) -> None:
        """One more turn, after the others had theirs."""
        if not member.queued:
            member.queued = True
            member.ready_at = clock()
            if member.urgent:
                self.urgent.append(member)
            else:
                self.queue.append(member)
            if not self.kicked:
                self.kick()

    def look(self, member: Member) -> None:
        """A turn for a member that may have become ready without our being told."""
        member.mask |= 1
        self.again(member)

    def add(self, member: Member) -> None:
        fd = member.fd
        while len(self.members) <= fd:
            self.members.append(None)
        self.members[fd] = member
        self.epoll.register(fd, _WATCHED)

    def watch(self, member: Member, writable: bool) -> None:
        """Tell the member too, or no longer, when it can be written to."""
        self.epoll.modify(member.fd, _WATCHED | _WRITABLE if writable else _WATCHED)

    def remove(self, member: Member) -> None:
        """Leave the set: before the descriptor is closed, and its number may be a new connection's."""
        self.epoll.unregister(member.fd)
        self.members[member.fd] = None

    # What the loop does.

    def kick(self) -> None:
        """See that the queue is looked at again, whatever the fiber that runs now does."""
        raise NotImplementedError

    def leave(self, connection: Any) -> None:
        """A connection without work, while draining: hand it over or close it."""
        raise NotImplementedError

    def hang_up(self, connection: Any, answer: bytes) -> None:
        """Say ``answer`` and close, so that what was sent arrives."""
        raise NotImplementedError

    def close(self, connection: Any) -> None:
        raise NotImplementedError

    def complain(self, connection: Any, error: WireError) -> None:
        """The peer sent something after which nothing can be read."""
        raise NotImplementedError

    def failed(self, member: Member, error: Exception) -> None:
        """A fault of ours."""
        raise NotImplementedError
