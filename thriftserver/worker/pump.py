"""The set of descriptors and the queue of those whose turn it is.

The pump asks an epoll set of its own, edge-triggered, who is ready, and gives each its turn in the order of arrival.
What a turn is, is the member's business (``worker.connection``, ``worker.accept``); closing, leaving and time are the
loop's (``worker.loop``). This one source runs on plain CPython, and Cython compiles it, with ``_pump.pxd``, into the
module ``_pump``.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from thriftserver.errors import WireError

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if not cython.compiled:
    from thriftserver.rpc.call import Seat
    from thriftserver.rpc.processor import Processor
    from thriftserver.rpc.within import clock
    from thriftserver.worker.io import find, found_count, found_fd, found_mask

#: What is watched for: bytes and the end of the stream, each told once (edge-triggered).
_WATCHED = 0x1 | 0x2000 | 0x80000000  # EPOLLIN | EPOLLRDHUP | EPOLLET
_WRITABLE = 0x4  # EPOLLOUT
_ENDING = 0x2000 | 0x8 | 0x10  # EPOLLRDHUP | EPOLLERR | EPOLLHUP
_RESET = 0x8 | 0x10  # EPOLLERR | EPOLLHUP: nothing that we send arrives; a half-closed stream has EPOLLRDHUP alone

#: Ready descriptors taken from the kernel at once.
BATCH = 256
#: Nanoseconds of work after which arrivals are noticed, so that the time they have waited is known.
NOTICE = 1_000_000


class Member:
    """What has a descriptor in the set. ``ready_at`` is when it was found ready, in monotonic nanoseconds."""

    __slots__ = ("ending", "fd", "mask", "queued", "ready_at", "reset", "urgent")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.mask = 0
        self.queued = False
        self.ready_at = 0
        #: The kernel has told of the end of the stream.
        self.ending = False
        #: The peer is gone for good: nothing that we send arrives.
        self.reset = False
        #: Its turn runs no call, so it need not wait for one; it gets no seat.
        self.urgent = False

    def on_ready(self, seat: Any) -> None:
        """Its turn; ``seat`` is where calls sit that are served in it."""
        raise NotImplementedError

    def without_seat(self) -> bool:
        """Its turn while no call may begin: do all else that is to be done. Does it want a seat still?"""
        raise NotImplementedError


class Pump:
    """The set, the queue and the turns. ``worker.loop.Loop`` fills in what is not a connection's everyday life."""

    def __init__(self, epoll: Any, processor: Processor, ear: Any, max_inflight: int, pipeline: int) -> None:
        self.epoll = epoll
        self.epoll_fd = epoll.fileno()
        self.processor = processor
        self.slot = processor.slot
        #: What understands the first bytes of a connection: ``dialect.detect.Ear``.
        self.ear = ear
        #: Who overhears calls (``worker.taps``); None while nobody does. The one in ``untapped`` calls is next.
        self.tap: Any = None
        self.untapped = 0
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
        #: Those who came to their turn while no call might begin, and wait for a seat.
        self.parked: deque[Any] = deque()
        self.urgent: list[Any] = []
        self.members: list[Member | None] = []
        #: Connections with a part of a frame, with a part of a reply, and with a part of what tells why their frame is
        #: refused; since when.
        self.partial: dict[Any, int] = {}
        self.blocked: dict[Any, int] = {}
        self.untold: dict[Any, int] = {}

    def collect(self) -> None:
        """Queue what has become ready."""
        found = find(self.epoll_fd if cython.compiled else self.epoll, BATCH)
        now = clock()
        self.polled = now
        for index in range(found_count(found)):
            member = self.members[found_fd(found, index)]
            if member is not None:
                mask = found_mask(found, index)
                member.mask |= mask
                if mask & _ENDING:
                    member.ending = True
                    if mask & _RESET:
                        member.reset = True
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
        fresh: list[Any] = []  # made first: whatever makes an object may run a finalizer, which may let others run
        urgent = self.urgent
        self.urgent = fresh
        for member in urgent:
            member.queued = False
            if member.fd >= 0:
                try:
                    member.on_ready(None)
                except Exception as error:  # noqa: BLE001 - as in turn
                    self.failed(member, error)

    def turn(self, seat: Seat) -> None:
        """Give everybody who is ready a turn, in the order of arrival; collect who is, first and now and then."""
        processor = self.processor
        self.collect()
        while True:
            seated = processor.active < self.max_inflight
            if self.parked and (seated or self.overdue(self.parked[0])):
                member = self.parked.popleft()
                seated = True
            elif self.head < len(self.queue):
                member = self.queue[self.head]
                seated = seated or self.overdue(member)
                self.step()
            else:
                break
            if not self.kicked and self.waiting():
                self.kick()
            if member.fd < 0:
                member.queued = False
            else:
                try:
                    if seated:
                        member.queued = False
                        member.on_ready(seat)
                    else:
                        self.serve_standing(member)
                except BaseException as error:  # noqa: BLE001 - the wall of one connection: a fault of ours ends it alone
                    self.failed(member, error)
            if seat.spoiled:
                break  # another fiber goes on
            if processor.now - self.polled > NOTICE:
                self.collect()
        if self.parked and processor.active >= self.max_inflight:
            self.stalled = True

    def serve_standing(self, member: Member) -> None:
        """A turn while as many calls run as may: whoever wants to begin one keeps its place in the order."""
        member.queued = False
        if member.without_seat() and not member.queued and member.fd >= 0:
            member.queued = True
            self.parked.append(member)

    def unpark(self) -> None:
        """Something has changed for everybody: those who wait for a seat have their turn again, before others."""
        if self.parked:
            self.queue[self.head : self.head] = list(self.parked)
            self.parked.clear()
            if not self.kicked:
                self.kick()

    def step(self) -> None:
        """The first in the queue is taken out."""
        queue = self.queue
        queue[self.head] = None
        self.head += 1
        if self.head == len(queue) or self.head >= 4096:
            del queue[: self.head]
            self.head = 0

    def waiting(self) -> int:
        """How many are in the queue, and behind it."""
        return len(self.queue) - self.head + len(self.parked)

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

    def failed(self, member: Member, error: BaseException) -> None:
        """A fault of ours."""
        raise NotImplementedError
