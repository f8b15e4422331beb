"""The worker's event loop: it puts connections into the pump, takes them out, and gives fibers their turns.

An epoll descriptor is readable while any of its members is, so gevent watches one descriptor however many connections
there are, and a ready connection costs no watcher callback (decision 3 of docs/architecture.md).
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

from gevent import get_hub
from gevent.event import Event
from gevent.monkey import get_original

from thriftserver.compiled import choose
from thriftserver.config import Settings
from thriftserver.dialect.detect import Ear
from thriftserver.dialect.table import chosen
from thriftserver.errors import WireError
from thriftserver.handoff import ADVICE, Handoff, Parcel
from thriftserver.log import Logger, lost
from thriftserver.peers import Introduction
from thriftserver.scoreboard import layout
from thriftserver.worker.accept import PAUSE, SLACK, Fellows, Inheritance, Listener, Source, plain_socket
from thriftserver.worker.arrivals import Arrival, Arrivals
from thriftserver.worker.fibers import Fibers
from thriftserver.worker.forked import close
from thriftserver.worker.stacks import Elsewhere, Stacks
from thriftserver.worker.sweep import LINGER, Limits, Sweep

if TYPE_CHECKING:
    from thriftserver.rpc.processor import Processor
    from thriftserver.worker.connection import Connection
    from thriftserver.worker.outgoing import Outgoing
    from thriftserver.worker.pump import Member, Pump
else:
    Pump, Connection = choose("worker.pump").Pump, choose("worker.connection").Connection
    Outgoing = choose("worker.outgoing").Outgoing

#: Seconds between two heartbeats; also how often the spread of connections is looked at.
HEARTBEAT = 0.5
#: Seconds until connections are looked at again of which none was idle.
AGAIN = 0.005
#: Nanoseconds between two lines that say that there is no room for another connection.
FULL_AGAIN = 60_000_000_000
#: Seconds to wait for room in the hand-off queue.
FULL_QUEUE = 0.005
#: Seconds in which nothing could be handed over, because too much is under way already, until that is given up.
CAPPED = 1.0


class _Pump(Pump):
    """The pump with what is the loop's: closing and leaving."""

    def __init__(self, loop: Loop, *args: Any) -> None:
        super().__init__(*args)
        self._loop = loop

    def kick(self) -> None:
        self.kicked = True
        get_hub().loop.run_callback(self._loop.wake)

    def leave(self, connection: Connection) -> None:
        if self.closing:
            self.hang_up(connection, b"")
        else:
            self._loop.hand_over(connection)

    def hang_up(self, connection: Connection, answer: bytes) -> None:
        if connection.unsent is not None:
            connection.close()
            return
        sock = plain_socket(fileno=connection.fd)
        try:
            if answer:
                sock.send(answer, socket.MSG_NOSIGNAL)
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            connection.close()
            return
        finally:
            sock.detach()
        connection.lingering = True
        self._loop.sweep.lingering[connection] = monotonic_ns() + LINGER
        self.look(connection)

    def close(self, connection: Connection) -> None:
        self._loop.release(connection)
        fd, connection.fd = connection.fd, -1
        os.close(fd)

    def complain(self, connection: Connection, error: WireError) -> None:
        self.slot.add(layout.COUNTER["bad_peer"], 1)
        self._loop.log.warning("bad_peer", peer=connection.peer, error=str(error))

    def failed(self, member: Member, error: BaseException) -> None:
        self._loop.log.exception("connection_failed", error, peer=getattr(member, "peer", None))
        if isinstance(member, Connection):
            member.close()


class Loop:
    """Every descriptor of a worker and the fibers that serve them; ``elsewhere`` is where calls run besides."""

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        handoff: Handoff,
        fellows: Fellows,
        processor: Processor,
        elsewhere: Sequence[Elsewhere],
        log: Logger,
        settings: Settings,
    ) -> None:
        self.processor = processor
        self.log = log
        self.connections = 0
        self.accepting = False
        self.keepalive = settings.keepalive
        self._fellows = fellows
        self._handoff = handoff
        self._max_connections = settings.max_connections
        # patch_all() takes epoll out of the select module, because it would block the loop. This one never waits.
        epoll = get_original("select", "epoll")()
        ear = Ear(processor.max_frame, chosen(settings.dialect, settings.http), settings.http_cors)
        self.pump = _Pump(self, epoll, processor, ear, settings.max_inflight, settings.pipeline)
        self.outgoing = Outgoing(self.pump)
        self.arrivals = Arrivals(self, settings.proxy_protocol)
        self._sources: list[Source] = [Listener(sock, self, self._welcome(sock)) for sock in listeners]
        self._sources.append(Inheritance(handoff, self))
        self._accept_again: Any = None
        self._short = False
        self._full_told = 0
        self._refused = 0
        self._empty = Event()
        self._empty.set()
        self.fibers = Fibers(self.pump.turn)
        slow = settings.slow_call if settings.access_log != "off" else 0.0
        self.stacks = Stacks(self.fibers, elsewhere, log, slow)
        loop = get_hub().loop
        self._watcher = loop.io(epoll.fileno(), 1)
        self._watcher.start(self.wake)  # a handler's setup may call others before this worker is called
        self._heart = loop.timer(HEARTBEAT, HEARTBEAT)
        self._evener: Any = None
        limits = Limits(settings.read_timeout, settings.write_timeout, settings.idle_timeout)
        shortest = min((entry.timeout for entry in processor.entries.values() if entry.timeout), default=0) / 1e9
        self.sweep = Sweep(self, limits, [shortest, slow])
        processor.on_shortened = self.sweep.hurry

    def _welcome(self, sock: socket.socket) -> Callable[[int, str], object]:
        """What a new connection of a listener is given to. There are no networks of unix sockets."""
        return self.arrivals.welcome if self.arrivals.are_expected and sock.family != socket.AF_UNIX else self.adopt

    def start(self) -> None:
        """Accept and serve from now on."""
        self.processor.slot.put(layout.ROOM, self._max_connections)
        self.beat()
        self._heart.start(self._pulse)
        self._resume_accept()

    def wake(self) -> None:
        """Give fibers turns while there is something to do that may be done. To be called from the hub."""
        pump, fibers, outgoing = self.pump, self.fibers, self.outgoing
        pump.kicked = False
        pump.stalled = False
        outgoing.waking = True
        try:
            fibers.wake()
            while outgoing.due or (pump.waiting() and not pump.stalled):
                if outgoing.due:
                    outgoing.resume()
                else:
                    fibers.wake()
        finally:
            outgoing.waking = False
        self.sweep.arm()

    def beat(self) -> None:
        """Tell whoever looks that this loop goes round."""
        now = monotonic_ns()
        self.processor.slot.put(layout.HEARTBEAT, now)
        self._fellows.beat(now, layout.DRAINING if self.pump.draining else layout.SERVING)

    def _pulse(self) -> None:
        self.beat()
        self.processor.slot.put(layout.QUEUED, self.pump.waiting())
        self.processor.slot.put(layout.COUNTER["log_lines_lost"], lost())
        self._even_out(AGAIN)

    def disown(self) -> None:
        """In a forked child: let go of all connections, so that they end when this worker ends them."""
        self.pump.epoll.close()
        for member in self.pump.members:
            if isinstance(member, Connection):
                fd, member.fd = member.fd, -1
                with suppress(OSError):  # the handler has closed it behind our back
                    close(fd)
        self.arrivals.disown()
        for seat in self.fibers.seats:
            seat.expired = True  # so that the call in which it was forked looks for what to do, and is not answered

    def dump(self) -> None:
        """Log what each call is doing."""
        self.stacks.dump(self.connections)

    # Connections come and go.

    def adopt(self, fd: int, peer: str) -> Connection:
        """Serve a connection; its descriptor does not block."""
        connection = Connection(fd, peer, self.pump)
        self.pump.add(connection)
        self.connections += 1
        self._empty.clear()
        self.count()
        self.processor.slot.add(layout.COUNTER["accepted"], 1)
        return connection

    def hold(self, arrival: Arrival) -> None:
        """A connection that is not served yet counts as one."""
        self.pump.add(arrival)
        self.connections += 1
        self._empty.clear()
        self.count()

    def inherit(self, fd: int, known: Introduction, held: bytes) -> None:
        """Go on with a connection that another process has served until now, and what it had ``held`` of a message."""
        connection = self.adopt(fd, known.peer)
        transport = self.pump.ear.resume(known.dialect)
        if transport is not None:
            if known.memory:
                transport.recall(known.memory)
            connection.speak(transport)
        self.processor.slot.add(layout.COUNTER["handed_in"], 1)
        if held:
            connection.hold(held)
        self.pump.look(connection)

    def release(self, connection: Any) -> None:
        """The connection, or the arrival, leaves the set."""
        self.pump.remove(connection)
        transport = connection.transport
        if transport is not None and transport.number >= 0:
            self.processor.slot.add(layout.DIALECT + transport.number, -1)
        self.pump.partial.pop(connection, None)
        self.pump.blocked.pop(connection, None)
        self.pump.untold.pop(connection, None)
        self.sweep.lingering.pop(connection, None)
        self.connections -= 1
        self.count()
        if self.connections == 0:
            self._empty.set()
        if not self.accepting and self._accept_again is None:
            self._resume_accept()

    def give_up(self, connection: Connection, why: str) -> None:
        """A peer that keeps us waiting."""
        self.processor.slot.add(layout.COUNTER[why], 1)
        self.log.info("connection_closed", peer=connection.peer, reason=why)
        connection.abandon()

    def idle_connections(self) -> Iterator[Connection]:
        """Those that neither serve a call nor wait for the rest of one."""
        for member in list(self.pump.members):
            if isinstance(member, Connection) and member.is_idle():
                yield member

    # Accepting, and taking no more than a fair share.

    def count(self, coming: int = 0) -> None:
        """Tell the others how many connections this worker has, never fewer than end if it is killed."""
        self.processor.slot.put(layout.CONNECTIONS, self.connections + coming)
        self._fellows.tell(self.connections + coming)

    def has_room(self) -> bool:
        return self.connections < self._max_connections

    def is_my_turn(self) -> bool:
        """Has no fellow fewer connections?"""
        return self.connections <= min(self._fellows.connections(monotonic_ns()), default=self.connections)

    def _even_out(self, again: float) -> None:
        """Hand over what this worker has too much of, idle connections only; one of two, where a fellow has none.

        Where too few are idle now, another look follows, after pauses that double: a busy connection is idle for
        moments, between two calls.
        """
        others = self._fellows.connections(monotonic_ns())
        if not others or self.pump.draining:
            return
        share = -(-(sum(others) + self.connections) // (len(others) + 1))
        surplus = self.connections - share
        if surplus < SLACK:
            surplus = int(self.connections > 1 and not min(others))
        left = self.connections - surplus
        for connection, _ in zip(self.idle_connections(), range(surplus), strict=False):
            self.hand_over(connection)
        if self.connections > left and again < HEARTBEAT:
            self._evener = get_hub().loop.timer(again)
            self._evener.start(self._even_out, 2 * again)

    def pause_accept(self, error: OSError | None) -> None:
        """Leave new connections in the backlog: until one is closed, and after an ``error`` for a moment."""
        self._stop_accept()
        if error is None:
            self._tell_full()
            return
        self.processor.slot.add(layout.COUNTER["accept_paused"], 1)
        if not self._short:  # said once, however often it is tried again
            self._short = True
            self.log.warning("accept_paused", error=error.strerror, connections=self.connections)
        self._accept_again = get_hub().loop.timer(PAUSE)
        self._accept_again.start(self._resume_after_error)

    def _tell_full(self) -> None:
        self.processor.slot.add(layout.COUNTER["connections_full"], 1)
        now = monotonic_ns()
        if not self._full_told or now - self._full_told > FULL_AGAIN:  # at the limit it comes and goes all the time
            self._full_told = now
            advice = "more wait in the backlog; raise --max-connections or --workers"
            self.log.warning("connections_full", connections=self.connections, advice=advice)

    def caught_up(self) -> None:
        """Nobody waits in the backlog."""
        if self._short:
            self._short = False
            self.log.info("accept_resumed", connections=self.connections)

    def _resume_after_error(self) -> None:
        self._accept_again = None
        self._resume_accept()

    def _stop_accept(self) -> None:
        if self.accepting:
            self.accepting = False
            for source in self._sources:
                self.pump.remove(source)

    def _resume_accept(self) -> None:
        if self.accepting or self.pump.draining:
            return
        self.accepting = True
        for source in self._sources:
            self.pump.add(source)

    # The end.

    def drain(self, timeout: float, *, hand_over: bool) -> int:
        """Stop accepting, answer what has been received, let every connection go at a frame boundary.

        ``hand_over`` passes them on to other processes instead of closing them. Returns how many connections were not
        finished after ``timeout`` seconds; those are closed as they are.
        """
        self._stop_accept()
        self.pump.closing = not hand_over
        self.pump.draining = True
        self.processor.slot.put(layout.STATE, layout.DRAINING)
        self._fellows.beat(monotonic_ns(), layout.DRAINING)
        self._look_at_all()
        self._empty.wait(timeout)
        left = [member for member in self.pump.members if isinstance(member, Connection)]
        if self._refused:
            self.log.warning("connections_not_kept", connections=self._refused, advice=ADVICE)
        unfinished = sum(1 for connection in left if not connection.lingering)
        for connection in left:
            connection.close()
        return unfinished

    def close_all(self) -> None:
        """While draining: hand nothing over any more."""
        self.pump.closing = True
        self._look_at_all()

    def _look_at_all(self) -> None:
        self.pump.unpark()
        for member in list(self.pump.members):
            if isinstance(member, Connection | Arrival):
                self.pump.look(member)

    def cut(self) -> None:
        """Do not wait for anybody any longer."""
        self._empty.set()

    def hand_over(self, connection: Connection) -> None:
        """Pass a connection on with what has been received of its next request; wait while the queue is full."""
        # What a release before dialects understands is what it would say itself: no name, for framed binary alone.
        transport = connection.transport
        said = (transport.name, transport.memory()) if transport is not None and transport.number > 0 else ()
        known = Introduction(connection.peer, *said)
        if self.pass_on(Parcel(connection.fd, known.write() + bytes(connection.held or b""))):
            connection.close()
        elif (
            self.pump.draining and self._handoff.capped() > CAPPED
        ):  # others of this user may fill it, or systemd's store
            self._refused += 1
            self.pump.hang_up(connection, b"")
        elif self.pump.draining:
            self.try_later(connection)

    def pass_on(self, parcel: Parcel) -> bool:
        """Put something into the queue; False: it is full."""
        done = self._handoff.put(parcel)
        if done:
            self.processor.slot.add(layout.COUNTER["handed_out"], 1)
        return done

    def try_later(self, member: Member) -> None:
        """Another turn, when there may be room in the queue."""
        again = get_hub().loop.timer(FULL_QUEUE)
        again.start(self._look_again, member, again)

    def _look_again(self, member: Member, _timer: Any) -> None:
        if member.fd >= 0:
            self.pump.look(member)
