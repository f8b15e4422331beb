"""The master process: waits for signals, children and time, asks ``policy`` what to do, and does it.

It forks workers and never serves: no gevent, no handler code, no codec is imported here.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn

from thriftserver import log
from thriftserver.assignment import READY, Assignment, Program, Report
from thriftserver.errors import BootError, ThriftServerError
from thriftserver.handoff import Handoff
from thriftserver.log import Logger
from thriftserver.master import policy
from thriftserver.master.sockets import Listeners
from thriftserver.scoreboard.board import Board

#: Workers and methods that the scoreboard has room for, at least; room that nobody uses takes no memory.
SLOTS, METHODS = 128, 256

#: Signals that the master acts on; everything else keeps its meaning.
HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD)

_EVENTS: dict[int, policy.Event] = {
    signal.SIGTERM: policy.StopAsked(graceful=True),
    signal.SIGINT: policy.StopAsked(graceful=False),
    signal.SIGQUIT: policy.StopAsked(graceful=False),
    signal.SIGHUP: policy.ReloadAsked(),
}


class StartFailed(ThriftServerError):
    """The first workers could not start; ``exit_code`` is what they left with."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


@dataclass(slots=True)
class _Child:
    """A worker as the master sees it: the reading end of its report pipe, and what came through it."""

    number: int
    pipe: int
    received: bytes = b""
    reason: str = ""

    def reports(self) -> list[Report]:
        """What has come since the last time."""
        with suppress(BlockingIOError):
            while chunk := os.read(self.pipe, 65536):
                self.received += chunk
        *lines, self.received = self.received.split(b"\n")
        return [Report.parse(line) for line in lines]


class Supervisor:
    """Keeps ``settings.workers`` workers running until told to stop.

    ``reload`` makes a Program anew from what is on disk; ``work`` is what a child does with its Assignment.
    """

    def __init__(
        self,
        program: Program,
        listeners: Listeners,
        reload: Callable[[], Program],
        work: Callable[[Assignment], int],
    ) -> None:
        settings = program.settings
        self._log = Logger().bind(pid=os.getpid())
        self._listeners = listeners
        self._reload = reload
        self._work = work
        self._programs = {1: program}
        methods = sum(1 for module in program.modules for each in module.services.values() for _ in each.methods())
        self._board = Board.create(max(SLOTS, 4 * settings.workers), max(METHODS, 2 * methods))
        self._handoff = Handoff.create()
        self._children: dict[int, _Child] = {}
        self._failure: policy.Fail | None = None
        self._state = policy.State(settings.workers, settings.boot_timeout, settings.graceful_timeout)

    def run(self) -> int:
        """Supervise to the end; the exit code. Raises StartFailed if the first workers cannot start."""
        self._install()
        try:
            settings = self._programs[1].settings
            self._log.info("starting", idl=settings.idl, handler=settings.handler, workers=settings.workers)
            self._log.info("listening", addresses=self._listeners.names())
            self._handle(policy.Tick())
            while not policy.finished(self._state):
                for event in self._wait():
                    self._handle(event)
        finally:
            self._listeners.close()
        if self._failure is not None:
            raise StartFailed(self._failure.reason, self._failure.code)
        self._log.info("stopped")
        return self._state.exit_code

    def _install(self) -> None:
        """Route signals into a pipe: nothing but a byte is written when one arrives, so none can come at a bad time."""
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._lifeline_read, self._lifeline_write = os.pipe2(os.O_CLOEXEC)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in HANDLED:
            signal.signal(number, lambda *_: None)

    def _handle(self, event: policy.Event) -> None:
        """Decide, act, and handle what the actions bring about, before anything else."""
        events = deque([event])
        while events:
            self._state, actions = policy.decide(self._state, events.popleft(), time.monotonic())
            for action in actions:
                outcome = self._act(action)
                if outcome is not None:
                    events.append(outcome)

    def _act(self, action: policy.Action) -> policy.Event | None:
        match action:
            case policy.Spawn():
                return self._spawn(action.number, action.generation)
            case policy.Signal():
                with suppress(ProcessLookupError):
                    os.kill(action.pid, getattr(signal, "SIG" + action.name))
            case policy.CheckReload():
                return self._check_reload()
            case policy.Adopt():
                self._programs = {action.generation: self._programs[action.generation]}
            case policy.Log():
                getattr(self._log, action.level)(action.event, **action.facts)
            case policy.Fail():
                self._failure = action
        return None

    def _check_reload(self) -> policy.Event:
        self._log.info("reloading")
        try:
            program = self._reload()
        except ThriftServerError as error:
            return policy.ReloadImpossible(str(error))
        settings, current = program.settings, self._state.generation
        for option in ("bind", "log_level", "log_file", "log_format"):  # what the master itself has set up
            if getattr(settings, option) != getattr(self._programs[current].settings, option):
                self._log.warning("reload_ignores", option=option, advice="a new value needs a restart")
        # Only these two are ever forked from; what an earlier, rejected reload left is dropped.
        self._programs = {current: self._programs[current], self._state.newest + 1: program}
        return policy.ReloadChecked(settings.workers, settings.boot_timeout, settings.graceful_timeout)

    # Waiting.

    def _wait(self) -> Iterator[policy.Event]:
        """Sleep until a signal, a report or the next decision is due; what has happened, as events."""
        poll = select.poll()
        poll.register(self._wake_read, select.POLLIN)
        for child in self._children.values():
            poll.register(child.pipe, select.POLLIN)
        due = policy.next_wake(self._state) - time.monotonic()
        ready = {fd for fd, _ in poll.poll(None if due == float("inf") else max(0, due * 1000 + 1))}
        for pid, child in list(self._children.items()):
            if child.pipe in ready:
                yield from self._hear(pid, child)
        if self._wake_read in ready:
            for number in os.read(self._wake_read, 4096):
                if number == signal.SIGCHLD:
                    yield from self._reap()
                elif number == signal.SIGUSR1:
                    self._reopen_logs()
                elif number in _EVENTS:
                    yield _EVENTS[number]
        yield policy.Tick()

    def _hear(self, pid: int, child: _Child) -> Iterator[policy.Event]:
        for report in child.reports():
            if report.kind == READY:
                yield policy.Ready(pid)
            else:
                child.reason = report.message

    def _reap(self) -> Iterator[policy.Event]:
        """Collect every child that is gone, workers and (as process 1 in a container) strangers."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self._children.pop(pid, None)
            if child is not None:
                yield from self._hear(pid, child)  # its last words are still in the pipe
                os.close(child.pipe)
                self._board.fold(child.number)
                yield policy.Exited(pid, os.waitstatus_to_exitcode(status), child.reason)

    def _reopen_logs(self) -> None:
        log.reopen()
        for pid in self._children:  # each is ours until it is reaped, so no pid can be another process's
            os.kill(pid, signal.SIGUSR1)

    # Forking.

    def _spawn(self, number: int, generation: int) -> policy.Event:
        read, write = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(read, False)
        assignment = Assignment(
            number,
            generation,
            self._programs[generation],
            self._listeners.sockets,
            self._lifeline_read,
            write,
            self._board,
            self._handoff,
        )
        sys.stdout.flush()
        sys.stderr.flush()
        # With signals blocked, one that arrives now is the parent's or the child's, never lost between the two.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        try:
            pid = os.fork()
            if pid == 0:
                self._be_worker(assignment, read, before)
        except OSError as error:
            os.close(read)
            return policy.SpawnFailed(generation, f"cannot fork: {error.strerror}")
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            os.close(write)
        self._children[pid] = _Child(number, read)
        self._log.debug("worker_started", worker=number, pid=pid, generation=generation)
        return policy.Spawned(pid, number, generation)

    def _be_worker(self, assignment: Assignment, read: int, mask: set[int | signal.Signals]) -> NoReturn:
        """The child: forget what is the master's, work, and leave without unwinding the master's stack."""
        code = BootError.exit_code
        try:
            signal.set_wakeup_fd(-1)
            for number in HANDLED:
                signal.signal(number, signal.SIG_DFL)
            for number in (signal.SIGHUP, signal.SIGINT):  # those sent to the whole group are meant for the master
                signal.signal(number, lambda *_: None)
            signal.signal(signal.SIGUSR1, lambda *_: log.reopen())
            for fd in (self._wake_read, self._wake_write, self._lifeline_write, read):
                os.close(fd)
            for child in self._children.values():
                os.close(child.pipe)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            code = self._work(assignment)
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)
