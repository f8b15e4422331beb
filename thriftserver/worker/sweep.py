"""Time: everything that must not last for ever is looked at now and then, all of it at once, instead of a timer each.

The sweep runs only while there is something to look at, so that a worker whose connections are idle does nothing.
"""

from __future__ import annotations

from time import monotonic_ns
from typing import TYPE_CHECKING, Any

from gevent import get_hub

from thriftserver.errors import DeadlineExceeded
from thriftserver.scoreboard import layout

if TYPE_CHECKING:
    from thriftserver.worker.connection import Connection
    from thriftserver.worker.loop import Loop

#: Seconds between two looks: an eighth of the shortest limit, within these bounds.
FINEST, COARSEST = 0.01, 1.0
#: Nanoseconds for a peer to hang up after we have, or to say which call its refused frame was.
LINGER = 1_000_000_000


class Limits:
    """In nanoseconds; 0 means none."""

    def __init__(self, read: float, write: float, idle: float) -> None:
        self.read = int(read * 1e9)
        self.write = int(write * 1e9)
        self.idle = int(idle * 1e9)


class Sweep:
    """Ends what has lasted too long: requests that do not arrive, replies that do not leave, idleness, calls.

    ``of_calls`` are limits in seconds that calls have, 0 for none.
    """

    def __init__(self, loop: Loop, limits: Limits, of_calls: list[float]) -> None:
        self._loop = loop
        self._limits = limits
        #: Connections that we have said good-bye to, and until when they may linger.
        self.lingering: dict[Connection, int] = {}
        all_limits = [each / 1e9 for each in (limits.read, limits.write, limits.idle) if each]
        queue = loop.processor.queue_timeout / 1e9
        all_limits += [each for each in (*of_calls, queue, LINGER / 1e9) if each]
        self._period = min(max(min(all_limits) / 8, FINEST), COARSEST)
        self._timer: Any = get_hub().loop.timer(self._period, self._period)

    def hurry(self, seconds: float) -> None:
        """Calls may have limits of so many seconds, too."""
        period = max(seconds / 8, FINEST)
        if period < self._period:
            self._period = period
            self._timer.stop()
            self._timer = get_hub().loop.timer(period, period)
            self._timer.start(self._look)

    def arm(self) -> None:
        """There may be something to look at from now on."""
        if not self._timer.active and self._needed():
            self._timer.start(self._look)

    def _needed(self) -> bool:
        loop = self._loop
        pump = loop.pump
        return bool(
            loop.processor.active
            or pump.partial
            or pump.blocked
            or pump.untold
            or pump.stalled
            or self.lingering
            or (self._limits.idle and loop.connections)
        )

    def _look(self) -> None:
        if not self._needed():
            self._timer.stop()
            return
        now = monotonic_ns()
        pump, limits = self._loop.pump, self._limits
        if limits.read:
            self._end(pump.partial, now - limits.read, "read_timeout")
        if limits.write:
            self._end(pump.blocked, now - limits.write, "write_timeout")
        for connection, since in list(pump.untold.items()):
            if now > since + LINGER:
                connection.abandon()
        for connection, until in list(self.lingering.items()):
            if now > until:
                connection.close()
        if limits.idle:
            self._end_idle(now - limits.idle)
        self._expire_calls(now)
        self._loop.stacks.look(now)
        if pump.stalled:
            self._loop.wake()

    def _end(self, since: dict[Connection, int], before: int, why: str) -> None:
        for connection, started in list(since.items()):
            if started < before:
                self._loop.give_up(connection, why)

    def _end_idle(self, before: int) -> None:
        for connection in self._loop.idle_connections():
            if connection.since < before:
                self._loop.processor.slot.add(layout.COUNTER["idle_timeout"], 1)
                self._loop.pump.hang_up(connection, b"")

    def _expire_calls(self, now: int) -> None:
        """Raise in every handler that waits past its deadline. We are in the hub, so each of them does wait.

        A handler gets it once, and may wait again while it cleans up; methods of the objects that it gave, in which the
        answer waits to be written or an exception to be described, get it each time.
        """
        for seat in list(self._loop.fibers.seats):
            call = seat.call
            if call is not None and call.deadline and now > call.deadline and (seat.returned or not seat.expired):
                seat.expired = True
                seat.fiber.throw(DeadlineExceeded(f"{call.service}.{call.method}: the deadline has passed"))
