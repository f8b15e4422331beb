"""Many machines in simulated time: each master is the real ``policy.decide``, everything around it comes from one seed.

A machine's processes boot, fail, hang, crash and leave when chance says so; a machine may die and come back. Nothing
is forked, and nobody sleeps: an hour of a thousand machines takes seconds.
"""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import count

from thriftserver.master import events, policy
from thriftserver.master.events import Phase, State

#: Seconds that a signal, an exit and its being noticed take together.
PROMPT = 0.05
#: Seconds until a machine that has died serves again, and after which its roller looks at one that is not well.
REPAIR, PATIENCE = 300.0, 120.0
#: How often a machine that has rejected a release is asked again.
TRIES = 3


@dataclass(frozen=True)
class Chances:
    """What happens to workers and machines. Durations are seconds, shares are of 1."""

    boot: float = 2.0
    """A worker's median boot; one in seventy takes three times as long."""
    boot_fails: float = 0.0
    boot_hangs: float = 0.0
    leaves: float = 1.0
    """The mean time for a retiring worker's calls to end."""
    lingers: float = 0.0
    """Retiring workers whose calls never end."""
    crashes: float = 0.0
    """Per worker and hour."""
    dies: float = 0.0
    """Per machine and hour."""
    broken: bool = False
    """The new release boots nowhere."""
    dies_young: float = 0.0
    """The new release's workers are ready, and crash after so many seconds; 0: they do not."""


class Clock:
    """What is to happen, in order. Events of the same moment happen in the order in which they were planned."""

    def __init__(self, seed: int) -> None:
        self.now = 0.0
        self.chance = random.Random(seed)
        self._order = count()
        self._planned: list[tuple[float, int, Callable[[], None]]] = []

    def after(self, seconds: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._planned, (self.now + seconds, next(self._order), what))

    def run(self, until: Callable[[], bool]) -> None:
        while self._planned and not until():
            self.now, _, what = heapq.heappop(self._planned)
            what()


@dataclass
class Machine:
    """One master and its workers. ``told`` hears its news, ``changed`` how many more workers serve, or fewer."""

    clock: Clock
    chances: Chances
    workers: int
    told: Callable[[events.News], None]
    changed: Callable[[int], None]
    state: State = field(init=False)
    alive: bool = field(default=False, init=False)
    decisions: int = field(default=0, init=False)
    _life: int = field(default=0, init=False)
    _woken: float = field(default=float("inf"), init=False)
    on_disk: bool = field(default=False, init=False)
    """The new release is what boots from now on."""
    _pids: Iterator[int] = field(default_factory=lambda: count(1000), init=False)

    def start(self) -> None:
        """Boot what is on the disk."""
        self._life, self._woken, self.alive = self._life + 1, float("inf"), True
        self.state = State(self.workers, boot_timeout=60.0, graceful_timeout=30.0, capacity=2 * self.workers)
        self._first = 1 if self.on_disk else 2  # the first generation that is of the new release
        self.tell(events.Tick())

    def die(self) -> None:
        """Power is gone; everything comes back later."""
        self.changed(-self.serving())
        self.alive = False
        self._life += 1
        self.clock.after(REPAIR, self.start)

    def suffer(self, chances: Chances) -> None:
        """From now on; also those who have booted before."""
        self.chances = chances
        for pid in self.state.workers:
            self._crash(0.0, pid)

    def deploy(self) -> None:
        self.on_disk = True
        self.tell(events.ReloadAsked())

    def serving(self) -> int:
        return sum(each.ready and each.stays for each in self.state.workers.values()) if self.alive else 0

    def released(self) -> bool:
        """Is every worker that should serve of the new release, and none of another one?"""
        if not self.alive or self.state.phase is not Phase.RUNNING:
            return False
        fresh = [each for each in self.state.workers.values() if each.stays and each.generation >= self._first]
        return sum(each.ready for each in fresh) >= self.workers and len(fresh) == len(
            [each for each in self.state.workers.values() if each.stays]
        )

    def tell(self, event: events.Event) -> None:
        """Let the master decide, and do what it says; what it is told at once is decided in the same moment."""
        waiting = deque([event])
        while waiting:
            each, before = waiting.popleft(), self.serving()
            self.state, actions = policy.decide(self.state, each, self.clock.now)
            self.decisions += 1
            after = self.serving()
            if not isinstance(each, events.Exited | events.Hung):
                assert after >= min(before, self.state.wanted), f"{each} took capacity: {before} to {after}"
            self.changed(after - before)
            for action in actions:
                waiting.extend(self._act(action))
        if (wake := policy.next_wake(self.state)) < self._woken:
            self._woken = wake
            self._later(max(wake - self.clock.now, 0.0), self._tick)

    def _tick(self) -> None:
        self._woken = float("inf")
        self.tell(events.Tick())

    def _later(self, seconds: float, what: Callable[[], None]) -> None:
        """Unless the machine has died by then."""
        life = self._life
        self.clock.after(seconds, lambda: what() if life == self._life else None)

    def _act(self, action: events.Action) -> Iterator[events.Event]:
        match action:
            case events.Spawn():
                pid = next(self._pids)
                self._boot(pid, action.generation >= self._first)
                yield events.Spawned(pid, action.number, action.generation)
            case events.Signal(pid, "KILL" | "QUIT"):
                self._exit(PROMPT, pid, -9)
            case events.Signal(pid, "USR2" | "TERM"):
                if self.clock.chance.random() >= self.chances.lingers:
                    self._exit(PROMPT + self.clock.chance.expovariate(1 / self.chances.leaves), pid, 0)
            case events.CheckReload():
                yield events.ReloadChecked(self.workers, 60.0, 30.0)
            case events.Announce():
                self.told(action.news)
            case events.Fail():  # systemd starts it again
                self._later(10.0, self._restart)

    def _restart(self) -> None:
        self.changed(-self.serving())
        self.start()

    def _boot(self, pid: int, new: bool) -> None:
        chance, fate = self.clock.chance, self.clock.chance.random()
        seconds = self.chances.boot * chance.lognormvariate(0.0, 0.5)
        if (new and self.chances.broken) or fate < self.chances.boot_fails:
            self._exit(seconds, pid, 3)
        elif fate >= self.chances.boot_fails + self.chances.boot_hangs:
            self._later(seconds, lambda: self.tell(events.Ready(pid)))
            if new and self.chances.dies_young:
                self._exit(seconds + self.chances.dies_young, pid, -11)
            else:
                self._crash(seconds, pid)

    def _crash(self, born: float, pid: int) -> None:
        if self.chances.crashes:
            self._exit(born + self.clock.chance.expovariate(self.chances.crashes / 3600), pid, -11)

    def _exit(self, seconds: float, pid: int, code: int) -> None:
        """Whoever is gone already is not known to the master any more."""
        luck = self.clock.chance.random()
        self._later(seconds, lambda: self.tell(events.Exited(pid, code, luck=luck)))


@dataclass
class Rollout:
    """What has become of a deploy. ``least`` is the smallest share of all workers that served at any moment."""

    seconds: float = 0.0
    least: float = 1.0
    done: int = 0
    rejected: int = 0
    failed: int = 0
    halted: bool = False
    decisions: int = 0


class Fleet:
    """``machines`` of ``workers`` each get a new release, ``at_once`` at a time; after ``most`` failures it halts.
    ``chances`` come with the deploy: until then all is well.

    A machine has been released if all its workers are of the new release, and still are ``watch`` seconds later.
    """

    def __init__(
        self, chances: Chances, seed: int, *, machines: int, workers: int, at_once: int, most: int, watch: float = 0.0
    ) -> None:
        self.clock, self.result = Clock(seed), Rollout()
        self._all, self._most, self._serving = machines * workers, most, 0
        self._deploying = False
        self._waiting = deque(range(machines))
        self._open: dict[int, int] = {}  # which attempt a machine is at
        self._refused: set[int] = set()
        self._at_once, self._chances, self._watch = at_once, chances, watch
        self.machines = [
            Machine(self.clock, Chances(), workers, partial(self._news, number), self._changed)
            for number in range(machines)
        ]

    def roll(self) -> Rollout:
        for machine in self.machines:
            machine.start()
        self.clock.run(lambda: self._serving == self._all)
        began, self._deploying = self.clock.now, True
        for machine in self.machines:
            machine.suffer(self._chances)
            if self._chances.dies:
                self.clock.after(self.clock.chance.expovariate(self._chances.dies / 3600), self._death(machine))
        for _ in range(self._at_once):
            self._next()
        self.clock.run(lambda: not self._open)
        self.result.seconds = self.clock.now - began
        self.result.decisions = sum(machine.decisions for machine in self.machines)
        return self.result

    def _death(self, machine: Machine) -> Callable[[], None]:
        return lambda: machine.die() if machine.alive else None

    def _changed(self, by: int) -> None:
        self._serving += by
        if self._deploying:
            self.result.least = min(self.result.least, self._serving / self._all)

    def _next(self) -> None:
        if self._waiting and not self.result.halted:
            self._try(self._waiting.popleft(), 1)

    def _try(self, number: int, attempt: int) -> None:
        """Ask a machine to reload, and look at it again and again until it has, or patience ends."""
        machine = self.machines[number]
        self._open[number] = attempt
        if machine.alive:
            machine.deploy()
        self._look(number, self.clock.now + PATIENCE + (0 if machine.alive else REPAIR))

    def _look(self, number: int, end: float) -> None:
        machine = self.machines[number]
        if number in self._refused:
            self._refused.remove(number)
            if self._open[number] < TRIES and not self.result.halted:
                self._try(number, self._open[number] + 1)
            else:
                self._settle(number, False)
        elif machine.released():
            if self._watch:
                self.clock.after(self._watch, lambda: self._settle(number, machine.released()))
            else:
                self._settle(number, True)
        elif self.clock.now >= end:
            self._settle(number, False)
        else:
            if machine.alive and not machine.on_disk:  # it was dead when its turn came
                machine.deploy()
            self.clock.after(1.0, lambda: self._look(number, end))

    def _news(self, number: int, news: events.News) -> None:
        if news is events.News.REJECTED and number in self._open:
            self.result.rejected += 1
            self._refused.add(number)

    def _settle(self, number: int, well: bool) -> None:
        del self._open[number]
        if well:
            self.result.done += 1
        else:
            self.result.failed += 1
            self.result.halted = self.result.failed >= self._most
        self._next()
