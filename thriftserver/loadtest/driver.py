"""One process of a load test: its connections in one loop, in which nobody waits for another one."""

from __future__ import annotations

import os
import select
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from thriftserver.errors import TransportError
from thriftserver.loadtest.connection import Connection, Ended, Server
from thriftserver.loadtest.pacing import Schedule
from thriftserver.loadtest.tally import RESULT, UNANSWERED, Tally
from thriftserver.loadtest.workload import Step

#: Nanoseconds of an interval that is told, and between two looks at what has lasted too long or failed: at most, and at
#: least, where calls may last a short time only.
INTERVAL, TICK, SHORT = 1_000_000_000, 100_000_000, 5_000_000
#: Nanoseconds after which a call that was due is sent late.
LATE = 1_000_000
_READABLE = select.EPOLLIN
_BOTH = select.EPOLLIN | select.EPOLLOUT
_clock = time.monotonic_ns

#: Is told what was counted in an interval, by method, and which one it is, from 0 on.
Tell = Callable[[int, list[Tally]], Any]


class Driver:
    """Makes the calls that a schedule says, on so many connections, and tells each second what has come of them.

    ``late`` is how many it has sent later than they were due though a connection was free, and ``waited`` how many for
    want of one. ``stop`` may be set at any time.
    """

    def __init__(self, server: Server, connections: int, steps: Iterator[Step], methods: int, tell: Tell) -> None:
        self.stop = False
        self._parent = os.getppid()
        self.late = self.waited = 0
        self._timeout = None if server.timeout is None else int(server.timeout * 1e9)
        self._pause = TICK if self._timeout is None else min(max(self._timeout // 10, SHORT), TICK)
        self._patience = f"timed out after {server.timeout:.3g} s" if server.timeout else ""
        self._steps = steps
        self._methods = methods
        self._tell = tell
        # It comes first, so that its number is one that select takes.
        self._epoll = select.epoll()
        self._all = [Connection(server) for _ in range(connections)]
        self._idle = deque(self._all)
        self._resting: list[Connection] = []
        self._rested = 0
        self._by_fd: dict[int, Connection] = {}
        self._busy = 0
        self._begin = 0
        self._interval = 0
        self._tick = 0
        self._tallies = self._fresh()
        self._schedule: Schedule

    def _fresh(self) -> list[Tally]:
        return [Tally() for _ in range(self._methods)]

    def connect(self) -> None:
        """Make all connections. Raises TransportError."""
        for connection in self._all:
            self._connect(connection)

    def run(self, schedule: Schedule, begin: int) -> None:
        """Make the calls; those are counted that were due at ``begin`` or later, in nanoseconds."""
        self._schedule, self._begin = schedule, begin
        now = _clock()
        self._tick = now + self._pause
        while not self.stop:
            now = self._issue(_clock())
            due = schedule.due(now)
            if due is None and not self._busy:
                break
            for fd, events in self._wait(now, due):
                self._ready(fd, events)
            self._look_around(_clock())
        self._tell(self._interval, self._tallies)

    def _issue(self, now: int) -> int:
        """Make the calls that are due, as far as there are connections that are free; what time it is then."""
        idle, schedule = self._idle, self._schedule
        for _ in range(len(idle)):  # where calls have no replies, they are free again at once
            due = schedule.due(now)
            if due is None or due > now:
                break
            self.late += self._begin <= due < now - LATE
            self._ask(idle.popleft(), due, now)
            now = _clock()
        return now

    def _wait(self, now: int, due: int | None) -> list[tuple[int, int]]:
        """What is ready, at the latest when the next call is due, or something is to be looked at."""
        until = min(self._tick, self._begin + (self._interval + 1) * INTERVAL)
        if due is None or due <= now or not self._idle:
            if due is not None and self._idle:  # calls without replies, one after the other
                return self._epoll.poll(0)
            # What epoll is told is rounded up to milliseconds, which here only a look around has to wait for.
            return self._epoll.poll(max(until - now, 0) / 1e9)
        select.select([self._epoll], (), (), max(min(due, until) - now, 0) / 1e9)
        return self._epoll.poll(0)

    def _ask(self, connection: Connection, due: int, now: int) -> None:
        step = next(self._steps)
        self._schedule.took(now)
        connection.due, connection.sent, connection.step = due, now, step
        self._busy += 1
        try:
            if connection.fd < 0:
                self._connect(connection)
            connection.ask(step)
        except TransportError as error:
            self._finish(connection, UNANSWERED, str(error))
        except Ended as ended:
            self._finish(connection, ended.kind, str(ended))
        else:
            if connection.stuck:
                self._epoll.modify(connection.fd, _BOTH)
            elif step.plan.oneway:
                self._spoken(connection)

    def _connect(self, connection: Connection) -> None:
        connection.connect()
        self._by_fd[connection.fd] = connection
        self._epoll.register(connection.fd, _READABLE)

    def _ready(self, fd: int, events: int) -> None:
        """A connection can be read, or written, or both."""
        connection = self._by_fd.get(fd)
        if connection is None or connection.fd != fd:
            return
        asked = connection.step is not None
        try:
            if events & select.EPOLLOUT and self._pushed(connection):
                return
            if not events & ~select.EPOLLOUT or not connection.read():
                if connection.stuck:  # TLS has something to say
                    self._epoll.modify(fd, _BOTH)
                return
        except Ended as ended:
            if asked:
                self._finish(connection, ended.kind, str(ended))
            else:  # it ends while it is idle, and is made again by who needs it
                connection.close()
            return
        self._finish(connection, RESULT, "")

    def _pushed(self, connection: Connection) -> bool:
        """Send what is left of a request. Is that all there was to do?"""
        connection.push()
        if not connection.stuck:
            self._epoll.modify(connection.fd, _READABLE)
            if connection.step is not None and connection.step.plan.oneway:
                self._spoken(connection)
                return True
        return False

    def _spoken(self, connection: Connection) -> None:
        connection.spoken()
        self._count(connection, RESULT, "", _clock())
        self._idle.append(connection)

    def _finish(self, connection: Connection, kind: int, text: str) -> None:
        """A call has come to its end: the connection makes the next one that is due, if there is one."""
        self._count(connection, kind, text, connection.came if kind != UNANSWERED else None)
        if kind == UNANSWERED:
            connection.close()
            self._resting.append(connection)  # for a while: where nobody answers, there is nothing to be had by haste
            return
        now = _clock()
        due = None if self._idle else self._schedule.due(now)
        if due is None or due > now:
            self._idle.append(connection)
            return
        self.waited += self._begin <= due < now - LATE
        self._ask(connection, due, now)

    def _count(self, connection: Connection, kind: int, text: str, end: int | None) -> None:
        """A call is over; ``end`` is when, None where nobody has waited for its end."""
        step, connection.step = connection.step, None
        self._busy -= 1
        if connection.due < self._begin:
            return
        assert step is not None
        tally = self._tallies[step.method]
        tally.kinds[kind] += 1
        if end is not None:
            tally.times.record(end - connection.due)
        if text:
            tally.wrong(kind, text)

    def _look_around(self, now: int) -> None:
        """Once a second tell what was counted, and at each tick end what has lasted too long."""
        while now >= self._begin + (self._interval + 1) * INTERVAL:
            self._tell(self._interval, self._tallies)
            self._tallies = self._fresh()
            self._interval += 1
        if now < self._tick:
            return
        self._tick = now + self._pause
        self.stop |= os.getppid() != self._parent  # nobody is left to be told
        if now >= self._rested:
            self._rested = now + TICK
            self._idle += self._resting
            self._resting.clear()
        if self._timeout is not None:
            for connection in self._all:
                if connection.step is not None and now - connection.sent > self._timeout:
                    self._count(connection, UNANSWERED, self._patience, now)
                    connection.close()
                    self._idle.append(connection)
