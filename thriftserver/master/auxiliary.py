"""The master's children that are no workers: each is kept alive, and hears of reloads, upgrades and the end.

What such a child does is the command line's to know.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from msgspec import Struct

from thriftserver.assignment import Program
from thriftserver.handoff import Handoff
from thriftserver.log import Logger
from thriftserver.master.events import News, State
from thriftserver.master.fork import fork
from thriftserver.master.sockets import Heirloom, Listeners
from thriftserver.scoreboard.board import Board

#: Seconds that a child has for its end after TERM, before it is killed.
GRACE = 2.0


class Equipment(Struct, frozen=True):
    """What a child is given of its master's: the scoreboard, the program in force, the queue of live connections.

    ``lifeline`` reads end-of-file when the master is gone.
    """

    board: Board
    program: Program
    handoff: Handoff
    lifeline: int


class Auxiliary:
    """One child that is kept alive and is no worker: ``run`` is what it does, and gives its exit code.

    The sockets that it serves are the master's.
    """

    #: Does who stops the service wait a moment for its end, before workers are told to leave?
    waited_for = False

    def __init__(self, name: str, listeners: Listeners | None, run: Callable[[Equipment], int]) -> None:
        self.name = name
        self.listeners = listeners
        self.pid = 0
        self.due = 0.0
        """When to start it, while it does not run."""
        self._run = run
        self._born = 0.0
        self._deaths = 0
        self._renewing = False

    def start(self, given: Equipment, private: list[int], log: Logger, now: float) -> None:
        """Start it if it is due."""
        if self.pid or now < self.due:
            return
        try:
            self.pid = fork(lambda: self._run(given), private)
        except OSError as error:
            log.error("spawn_failed", auxiliary=self.name, reason=error.strerror)
            self.due = now + 1.0
        self._born = now

    def gone(self, status: int, log: Logger, now: float) -> None:
        """It has ended: again, after a pause that grows while it does not live."""
        self.pid = 0
        if self._renewing:
            self._renewing = False
            self.due = now
            return
        self._deaths = 0 if now - self._born > 60 else self._deaths + 1
        self.due = now + min(0.1 * 2.0**self._deaths, 10.0)
        log.error("auxiliary_exit", auxiliary=self.name, code=os.waitstatus_to_exitcode(status))

    def tick(self, state: State, log: Logger, now: float) -> None:
        """About once a second."""

    def descriptors(self) -> list[int]:
        """Those of the master's that no child may keep."""
        return []

    def prepare(self, program: Program) -> None:
        """A reload is under way to this program. Raises ThriftServerError for what speaks against it."""

    def renew(self) -> None:
        """There is a new program: let another one take over."""
        if self.pid:
            self._renewing = True
            os.kill(self.pid, signal.SIGTERM)

    def leave(self) -> None:
        """Another master takes over, and has one of its own."""
        self.renew()

    def ready(self) -> None:
        """The service is ready for the first time, or this master is in force now."""

    def facts(self) -> dict[str, Any]:
        """What it adds to the status of the service."""
        return {}

    def stopping(self) -> None:
        """The service stops as soon as what it has begun is over."""

    def stop(self, patience: float, wake: int) -> None:
        """Tell it to leave and wait until it has.

        ``patience`` is what the service gives to what is under way, in seconds; ``wake`` tells of signals meanwhile.
        """
        self._end(GRACE, -1)

    def _end(self, seconds: float, wake: int) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGTERM)
            if ended(self.pid, seconds, wake) is None:
                os.kill(self.pid, signal.SIGKILL)
                ended(self.pid, GRACE)


class Auxiliaries:
    """All of them; an observer of the master."""

    def __init__(self, members: Sequence[Auxiliary], log: Logger) -> None:
        self._members = members
        self._log = log

    @property
    def listeners(self) -> list[Listeners]:
        """The sockets that are theirs alone."""
        return [each.listeners for each in self._members if each.listeners]

    def heirlooms(self) -> list[Heirloom]:
        return [heirloom for each in self.listeners for heirloom in each.heirlooms()]

    def descriptors(self) -> list[int]:
        return [descriptor for each in self._members for descriptor in each.descriptors()]

    @property
    def due(self) -> float:
        """When the next one has to be started."""
        return min((each.due for each in self._members if not each.pid), default=float("inf"))

    def keep(self, given: Equipment, private: list[int]) -> None:
        """Start those that do not run."""
        for each in self._members:
            each.start(given, private, self._log, time.monotonic())

    def gone(self, pid: int, status: int) -> bool:
        """A child has ended; was it one of them?"""
        for each in self._of(pid):
            each.gone(status, self._log, time.monotonic())
            return True
        return False

    def _of(self, pid: int) -> Iterator[Auxiliary]:
        return (each for each in self._members if each.pid == pid)

    def prepare(self, program: Program) -> None:
        for each in self._members:
            each.prepare(program)

    def renew(self) -> None:
        for each in self._members:
            each.renew()

    def leave(self) -> None:
        for each in self._members:
            each.leave()

    @property
    def waited_for(self) -> bool:
        """Is there one that runs, and that a stop has to wait for?"""
        return any(each.waited_for and each.pid for each in self._members)

    def facts(self) -> dict[str, Any]:
        return {name: fact for each in self._members for name, fact in each.facts().items()}

    def reopen_logs(self) -> None:
        for each in self._members:
            if each.pid:  # ours until it is reaped, so no pid can be another process's
                os.kill(each.pid, signal.SIGUSR1)

    def announce(self, news: News, _text: str) -> None:
        for each in self._members:
            if news is News.STOPPING:
                each.stopping()
            elif news is News.READY:
                each.ready()

    def tick(self, state: State, now: float) -> None:
        for each in self._members:
            each.tick(state, self._log, now)

    def stop(self, patience: float, wake: int) -> None:
        for each in self._members:
            each.stop(patience, wake)


def ended(pid: int, seconds: float, wake: int = -1) -> int | None:
    """The wait status of a child that ends within this time; None if it does not.

    A signal that asks this process to hurry, whose number comes through ``wake``, ends the wait.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except OSError:  # no descriptor is left to wait with
        return _ended_meanwhile(pid, seconds)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if wake >= 0:
            poll.register(wake, select.POLLIN)
        end = time.monotonic() + seconds
        while ready := dict(poll.poll(max(end - time.monotonic(), 0) * 1000)):
            if descriptor in ready:
                return os.waitpid(pid, 0)[1]
            if {signal.SIGINT, signal.SIGQUIT} & set(os.read(wake, 4096)):
                break
        return None
    finally:
        os.close(descriptor)


def _ended_meanwhile(pid: int, seconds: float) -> int | None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found, status = os.waitpid(pid, os.WNOHANG)
        if found:
            return status
        time.sleep(0.01)
    return None
