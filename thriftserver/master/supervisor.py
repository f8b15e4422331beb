"""The master process: waits for signals, children and time, asks ``policy`` what to do, and does it.

It forks workers and never serves: no gevent, no handler code, no codec is imported here.
"""

from __future__ import annotations

import os
import random
import select
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from thriftserver import log
from thriftserver.assignment import IMPORTED, READY, SPENT, Assignment, Program, Report
from thriftserver.errors import ConfigError, StartFailed, ThriftServerError
from thriftserver.handoff import BESIDE, Handoff
from thriftserver.log import Logger
from thriftserver.master import events, limits, obituary, policy
from thriftserver.master.auxiliary import Auxiliaries, Auxiliary, Equipment
from thriftserver.master.canary import Canary
from thriftserver.master.changes import Changes
from thriftserver.master.children import Child, bear, bury
from thriftserver.master.control import Control
from thriftserver.master.errands import Errands
from thriftserver.master.fdstore import Store
from thriftserver.master.fork import HANDLED
from thriftserver.master.health import Health, resident
from thriftserver.master.objection import objection
from thriftserver.master.observer import Observer
from thriftserver.master.sockets import Listeners
from thriftserver.master.succession import Succession
from thriftserver.master.terminal import SIGNALS, Terminal
from thriftserver.master.upgrade import Estate
from thriftserver.master.walls import Walls, foreseen, instead, sentence
from thriftserver.schema.model import Module
from thriftserver.scoreboard import layout
from thriftserver.scoreboard.board import Board

#: Workers and methods that the scoreboard has room for, at least; room that nobody uses takes no memory.
SLOTS, METHODS = 128, 256
#: Seconds until a full hand-off queue is tried again.
FULL_QUEUE = 0.005
#: Seconds too late from which on this process was stopped, and its children with it: Ctrl-Z stops a group.
SLEEP = 1.0
#: Seconds of one wait: poll takes no number, and a clock's end is one that no machine waits for.
LONGEST = 3600.0


class Supervisor:
    """Keeps ``settings.workers`` workers, and ``auxiliaries``, running until told to stop; tells ``observers``.

    ``reload`` makes a Program anew from what is on disk; ``work`` is what a child does with its Assignment.
    ``changes`` are what it reloads for by itself.
    """

    def __init__(
        self,
        program: Program,
        listeners: Listeners,
        reload: Callable[[], Program],
        work: Callable[[Assignment], int],
        succession: Succession,
        observers: Sequence[Callable[[Board], Observer]] = (),
        auxiliaries: Sequence[Auxiliary] = (),
        changes: Changes | None = None,
        store: Store | None = None,
    ) -> None:
        settings = program.settings
        self._log = Logger().bind(pid=os.getpid())
        self._walls = Walls(self._log)
        self._terminal = Terminal(self._log)
        self._listeners = listeners
        self._reload = reload
        self._work = work
        self._programs = {1: program}
        methods = sum(1 for module in program.modules for each in module.services.values() for _ in each.methods())
        try:
            self._board = Board.create(max(SLOTS, 4 * settings.workers), max(METHODS, 2 * methods))
        except (OSError, OverflowError, ValueError, MemoryError):
            raise ConfigError(f"--workers: {settings.workers} are more than this system has memory to watch") from None
        self._succession = succession
        self._handoff = succession.handoff or Handoff.create()
        self._handoff.most = settings.max_frame + BESIDE
        self._children: dict[int, Child] = {}
        self._health = Health(self._board)
        self._canary = Canary(self._board, self._log)
        self._auxiliaries = Auxiliaries(auxiliaries, self._log)
        self._errands = Errands(self._children)
        given = (self._board, self._auxiliaries.facts, self._log, self._errands, succession.control)
        self._control = Control(settings.control, *given) if settings.control else None
        self._changes = changes
        self._store = store
        built_in = (self._canary, self._auxiliaries, self._control, changes, store, *self._auxiliaries.listeners)
        self._observers: list[Observer] = [succession, listeners, *(make(self._board) for make in observers)]
        self._observers += [each for each in built_in if each is not None]
        self._failure: events.Fail | None = None
        self._weighed = 0  # the newest generation whose memory was looked at
        self._state = succession.begin(
            events.State(settings.workers, settings.boot_timeout, settings.graceful_timeout, self._board.capacity),
            self._board,
            settings.canary,
        )

    def run(self) -> int:
        """Supervise to the end; the exit code. Raises StartFailed if the first workers cannot start."""
        self._install()
        try:
            given = self._programs[1].settings
            self._log.info("starting", idl=given.idl, handler=given.handler, workers=given.workers)
            self._log.info("listening", addresses=self._listeners.names(), **self._listeners.about_tls())
            limits.warn(given, self._log)
            self._handle(events.Tick())
            self._walls.around("the auxiliary processes", self._keep_auxiliaries)
            while not policy.finished(self._state):
                for event in self._walls.of("a look", self._wait()):
                    self._walls.around("a decision", self._handle, event)
        finally:
            self._close()
        if failure := self._failure:
            raise StartFailed(failure.reason, failure.code)
        self._log.info("stopped")
        return self._state.exit_code

    def _close(self) -> None:
        around = self._walls.around
        if self._store:
            around("what is kept", self._keep_rest)
            around("what is kept", self._store.close)
        around("the listeners", lambda: self._listeners.close(stay=self._state.keeping))
        if self._control:
            around("the control socket", self._control.close)
        around("the queue", self._handoff.close)  # what nobody has taken ends now
        patience = 0.0 if self._state.hurry else self._state.graceful_timeout
        around("the auxiliary processes", self._auxiliaries.stop, patience, self._wake_read)

    def _install(self) -> None:
        """Route signals into a pipe: nothing but a byte is written when one arrives, so none can come at a bad time."""
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._lifeline_read, self._lifeline_write = os.pipe2(os.O_CLOEXEC)
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in HANDLED:
            if number not in SIGNALS:
                signal.signal(number, lambda *_: None)
        self._terminal.install()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)  # an older master has blocked them until now

    def _handle(self, event: events.Event) -> None:
        """Decide, act, and handle what the actions bring about, before anything else."""
        queue = deque([event])
        while queue:
            self._state, actions = policy.decide(self._state, queue.popleft(), time.monotonic())
            self._board.wanted = self._state.wanted
            self._canary.follow(self._state)
            for action in actions:
                outcome = self._act(action)
                if outcome is not None:
                    queue.append(outcome)

    def _act(self, action: events.Action) -> events.Event | None:
        """Do it. What cannot be done is an event where one is waited for, and a line of the log in any case."""
        try:
            return self._do(action)
        except Exception as error:  # noqa: BLE001 - the wall: whatever an action meets, the master goes on
            return self._undone(action, error)

    def _undone(self, action: events.Action, error: Exception) -> events.Event | None:
        outcome = instead(action, sentence(error))
        if outcome is None or not foreseen(error):
            self._walls.tell(type(action).__name__, error)
        return outcome

    def _do(self, action: events.Action) -> events.Event | None:
        match action:
            case events.Spawn():
                return self._spawn(action.number, action.generation)
            case events.Signal():
                with suppress(ProcessLookupError):
                    os.kill(action.pid, getattr(signal, "SIG" + action.name))
            case events.CheckReload():
                return self._check_reload()
            case events.Try():
                idle = self._programs[action.generation].settings.canary_idle
                self._canary.begin(action, idle, self._state, self._succession.beside)
            case events.Judge():
                return self._canary.judge()
            case events.Tell():
                self._succession.tell(action)
            case events.Adopt():
                self._programs = {action.generation: self._programs[action.generation]}
                self._auxiliaries.renew()
            case events.Log():
                getattr(self._log, action.level)(action.event, **action.facts)
            case events.Announce():
                for observer in self._observers:
                    self._walls.around(f"the news {action.news.value}", observer.announce, action.news, action.text)
            case events.StartUpgrade():
                return self._succession.start(self._state, self._estate(), self._private())
            case events.Disown():
                self._succession.disown()
            case events.Abdicate():
                self._auxiliaries.leave()
                self._succession.grant()
            case events.Offer():
                self._succession.offer()
            case events.Fail():
                self._failure = action
        return None

    def _check_reload(self) -> events.Event:
        self._log.info("reloading")
        try:
            program = self._reload()
            self._auxiliaries.prepare(program)
        except ThriftServerError as error:
            return events.ReloadImpossible(str(error))
        settings, current = program.settings, self._state.generation
        running = self._programs[current]
        objection = self._objection(program.modules)
        if objection and not settings.allow_breaking:
            return events.ReloadImpossible(objection)
        limits.warn(settings, self._log)
        ignored = limits.fixed(settings, running.settings)
        for option in ignored:
            self._log.warning("reload_ignores", option=option, advice="this needs a restart or an upgrade")
        if self._control:
            self._control.ignored = ignored
        # Only these two are ever forked from; what an earlier, rejected reload left is dropped.
        self._programs = {current: running, self._state.newest + 1: program}
        return events.ReloadChecked(settings.workers, settings.boot_timeout, settings.graceful_timeout, settings.canary)

    def _objection(self, modules: Sequence[Module]) -> str:
        return objection(self._programs[self._state.generation], modules)

    def _estate(self) -> Estate:
        return Estate(
            handoff=self._handoff.descriptors,
            listeners=self._listeners.heirlooms(),
            admin=self._auxiliaries.heirlooms(),
            control=self._control.heirloom if self._control else None,
            configured=self._state.configured or self._state.target,
            target=self._state.target,
            board=self._board.descriptor,
        )

    # Waiting.

    def _wait(self) -> Iterator[events.Event]:
        """Sleep until a signal, a report or the next decision is due; what has happened, as events."""
        poll = select.poll()
        poll.register(self._wake_read, select.POLLIN)
        for child in self._children.values():
            if child.pipe >= 0:
                poll.register(child.pipe, select.POLLIN)
        for fd in self._succession.lines():
            poll.register(fd, select.POLLIN)
        for fd, mask in self._control.interests() if self._control else ():
            poll.register(fd, mask)
        if self._state.keeping and self._store and self._store.can_keep:
            poll.register(self._handoff.descriptors[1], select.POLLIN)
        due = min(policy.next_wake(self._state), self._health.due, self._terminal.due, self._canary.due)
        if self._store and self._store.has_waiting:
            due = min(due, time.monotonic() + FULL_QUEUE)
        if self._store and self._state.keeping and not self._store.can_keep:
            due = min(due, time.monotonic() + FULL_QUEUE)
        if self._may_start_auxiliaries:
            due = min(due, self._auxiliaries.due)
        if self._changes:
            due = min(due, self._changes.due)
        began = time.monotonic()
        wait = min(max(0.0, due - began), LONGEST)
        ready = {fd for fd, _ in poll.poll(wait * 1000 + 1)}
        if (slept := time.monotonic() - began - wait) > SLEEP:
            yield events.Slept(slept)
        of = self._walls.of
        for pid, child in list(self._children.items()):
            if child.pipe in ready:
                yield from of("a worker's reports", self._hear(pid, child, child.reports()))
        yield from of("the other master", self._succession.hear(ready, self._objection))
        if self._wake_read in ready:
            for number in os.read(self._wake_read, 4096):
                yield from of("a signal", self._signalled(number))
        if self._control:
            yield from of("the control socket", self._control.serve(ready, lambda: self._state))
        yield from of("a look round", self._look())
        self._walls.around("what is kept", self._move_kept)
        yield events.Tick()

    def _signalled(self, number: int) -> Iterator[events.Event]:
        if number == signal.SIGCHLD:
            yield from self._reap()
        elif number == signal.SIGUSR1:
            self._reopen_logs()
        elif number == signal.SIGTERM and self._store:
            yield events.StopAsked(graceful=True, keep=self._store.expects_successor())
        elif number in events.ASKED and self._terminal.counts(number):
            yield events.ASKED[number]

    def _look(self) -> Iterator[events.Event]:
        """What time brings: sick workers, observers that want to know, an auxiliary's next try."""
        now = time.monotonic()
        self._terminal.look(now)
        self._walls.around("the auxiliary processes", self._keep_auxiliaries)
        log.retry()
        self._board.words[layout.BOARD_LOST_LINES] = log.lost()
        if now >= self._health.due and not self._state.heir:  # the older master speaks for the service
            for observer in self._observers:
                self._walls.around("a second", observer.tick, self._state, now)
        if self._changes and (changed := self._changes.look(now)):
            self._log.info("changed", files=changed)
            yield events.ReloadAsked()
        if self._auxiliaries.waited_for != self._state.companion:
            yield events.Accompanied(self._auxiliaries.waited_for)
        settings = self._programs[self._state.generation].settings
        yield from self._health.check(list(self._state.workers.values()), settings, now)
        yield from self._canary.look(self._state, now)

    def _move_kept(self) -> None:
        """Connections that outlive a master: into the store while it stops, from there to its workers before."""
        if self._store and self._state.keeping:
            self._store.keep(self._handoff)
        elif self._store and self._store.has_waiting:
            self._store.give(self._handoff)

    def _keep_rest(self) -> None:
        while self._store and self._state.keeping and self._store.keep(self._handoff):
            pass  # the workers are gone, so there is an end

    def _hear(self, pid: int, child: Child, reports: Sequence[Report]) -> Iterator[events.Event]:
        for report in reports:
            if report.kind == READY:
                self._weigh(pid)
                yield events.Ready(pid)
            elif report.kind == SPENT:
                yield events.Spent(pid, "max_requests")
            elif report.kind == IMPORTED:
                if self._changes and (fresh := self._changes.learn(report.message.splitlines())):
                    self._log.debug("watching", files=fresh)
            else:
                child.reason = report.message
        if child.complaint:
            advice = "code in this worker writes to descriptors that are not its own; nothing more is heard from it"
            facts = {"worker": child.number, "pid": pid, "reason": child.complaint, "advice": advice}
            self._log.error("worker_report_refused", **facts)
            child.complaint = ""

    def _weigh(self, pid: int) -> None:
        """The first worker of a generation shows what each of them needs at least."""
        worker = self._state.workers.get(pid)
        if worker is not None and self._weighed < worker.generation and worker.generation in self._programs:
            self._weighed = worker.generation
            limits.weigh(self._programs[worker.generation].settings, resident(pid), self._log)

    def _reap(self) -> Iterator[events.Event]:
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
                yield from self._walls.of("a worker's reports", self._hear(pid, child, child.last_words()))
                worker = self._state.workers.get(pid)
                code = os.waitstatus_to_exitcode(status)
                why = obituary.reason(worker, code, self._state.phase is events.Phase.STOPPING)
                self._walls.around("the last of its accounts", self._canary.died, worker, why, self._state)
                self._walls.around("a dead worker", bury, child, pid, why, self._board, self._log)
                child.close()
                yield events.Exited(pid, code, child.reason, random.random())
            elif not self._auxiliaries.gone(pid, status):
                yield from self._succession.gone(pid, status)

    def _reopen_logs(self) -> None:
        log.reopen()
        for pid in self._children:  # each is ours until it is reaped, so no pid can be another process's
            os.kill(pid, signal.SIGUSR1)
        self._auxiliaries.reopen_logs()

    # Forking.

    def _private(self) -> list[int]:
        """Descriptors that no child may keep."""
        found = [self._wake_read, self._wake_write, self._lifeline_write, *self._succession.lines()]
        found += [*self._listeners.unused(), *self._auxiliaries.descriptors()]
        for child in self._children.values():
            found += [child.stacks, child.errands.fileno(), *([child.pipe] if child.pipe >= 0 else [])]
        found += self._errands.descriptors()
        for each in (self._control, self._store):
            found += each.descriptors() if each else []
        return found

    @property
    def _may_start_auxiliaries(self) -> bool:
        return self._state.phase is not events.Phase.STOPPING and not self._state.heir

    def _keep_auxiliaries(self) -> None:
        if self._may_start_auxiliaries:
            program = self._programs[self._state.generation]
            given = Equipment(self._board, program, self._handoff, self._lifeline_read)
            self._auxiliaries.keep(given, self._private())

    def _spawn(self, number: int, generation: int) -> events.Event:
        program, sockets = self._programs[generation], self._listeners.plain
        beside = self._succession.beside if self._state.on_trial else None
        line, shared = self._lifeline_read, (self._board, self._handoff, beside)

        def work(report: int, *ends: int) -> int:
            return self._work(Assignment(number, generation, program, sockets, line, report, *shared, *ends))

        pid, child = bear(number, work, self._private())
        self._children[pid] = child
        self._errands.welcome(child)
        self._log.debug("worker_started", worker=number, pid=pid, generation=generation)
        return events.Spawned(pid, number, generation)
