"""What a pool of connections decides, however it waits: threads, greenlets and asyncio tasks have this in common.

Sans-IO: it is told the time, what servers there are, and how calls have ended; it says which connection is next, what
has to be done beside, and what there is to be told.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Final

import msgspec

from thriftserver.client.balance import Balance, Endpoint
from thriftserver.client.news import News, Resolved, Unresolved
from thriftserver.client.retry import Again, Budget, Course, Outcome
from thriftserver.client.statistics import PoolStats, ServerStats
from thriftserver.codec.plan import MethodPlan, method_plan
from thriftserver.compiled import choose
from thriftserver.schema.model import Function, Where

if TYPE_CHECKING:
    from thriftserver.client.lending import Held, Lender, busy
    from thriftserver.discovery.addresses import Address
else:
    Lender, busy = choose("client.lending").Lender, choose("client.lending").busy

#: Seconds that a server has to answer whether it is back.
PROBE: Final = 5.0
#: Seconds between two looks at idle connections, at most.
LOOK: Final = 5.0
#: Names are not resolved more often than this, in seconds, however connecting fails.
SELDOM: Final = 1.0
#: A server that had fewer seconds than that for its answer says nothing by having none.
HASTY: Final = 0.001


class PoolOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a pool is to behave; seconds, where it is about time. Raises ValueError for what makes no sense."""

    size: int = 64
    wait: float | None = None
    idle: float = 60.0
    max_age: float = 600.0
    connect_timeout: float = 1.0
    attempt_timeout: float | None = None
    retries: float = 0.2
    hedge: float | None = None
    eject_after: int = 5
    eject_for: float = 1.0
    refresh: float = 30.0

    def __post_init__(self) -> None:
        for name in ("size", "eject_after"):
            if not getattr(self, name) >= 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)!r}")
        for name in ("idle", "max_age", "connect_timeout", "eject_for", "refresh"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be more than 0 seconds, got {getattr(self, name)!r}")
        for name in ("attempt_timeout", "hedge"):
            if not (getattr(self, name) is None or getattr(self, name) > 0):
                raise ValueError(f"{name} must be more than 0 seconds, or None for none; got {getattr(self, name)!r}")
        if not (self.wait is None or self.wait >= 0):
            raise ValueError(f"wait must be at least 0 seconds, or None for any; got {self.wait!r}")
        if not 0 <= self.retries <= 1:
            raise ValueError(f"retries must be a share of the calls, from 0 to 1; got {self.retries!r}")


class Errands(msgspec.Struct):
    """What is to be done beside the calls: servers to ask whether they are back, names to be resolved."""

    probes: list[Endpoint]
    resolve: bool


class Pooling:
    """The state of one pool.

    ``make`` gives a connection to a server, which need not be open yet. ``lock``, a reentrant one, keeps threads apart
    in all that is rare; it is never held while anything waits. ``changing``: there may be other servers later.
    """

    def __init__(
        self,
        options: PoolOptions,
        make: Callable[[Endpoint], Held],
        lock: AbstractContextManager[object],
        changing: bool,
        now: float,
    ) -> None:
        self.options = options
        self.chance = random.Random()
        #: For every call, without the lock; what stands below is for what is rare.
        self.lender = lender = Lender(self._new, self._drop)
        self.take, self.take_of, self.give = lender.take, lender.take_of, lender.give
        self.balance = Balance(lender, options.eject_after, options.eject_for, self.chance)
        self.budget = Budget(options.retries, now)
        self.closed = False
        lender.due = now
        self._make = make
        self._lock = lock
        self._changing = changing
        self._asked_at = -SELDOM
        self._ask_at = float("inf")
        self._resolving = False
        self._unresolved = False
        #: Somebody has told that there are other servers.
        self._moved = False
        #: Servers that are gone and still have connections; and the calls of those that have none.
        self._leaving: list[Endpoint] = []
        self._past = 0
        self._opened = self._repeated = self._hedged = self._hedges_won = self._unpaid = self._queued = 0

    def answered(self, held: Held, now: float) -> News | None:
        """A call was answered, by a server that is ``odd``."""
        with self._lock:
            endpoint = held.endpoint
            if endpoint.gone:
                self._empty(endpoint)
            return self.balance.succeeded(endpoint, held.used, now)

    def failed(self, held: Held, outcome: Outcome, error: BaseException, left: float | None, now: float) -> News | None:
        """A call has ended with this error and so much time left; its connection is kept if it can be used again."""
        endpoint = held.endpoint
        broken = outcome in (Outcome.LOST, Outcome.UNSENT)
        with self._lock:
            if broken or not isinstance(error, Exception):
                self._drop(held)
            elif self.give(held) and endpoint.gone:
                self._empty(endpoint)
            if outcome is Outcome.UNASKED or (broken and left is not None and left <= 0 and now - held.used < HASTY):
                return None
            if broken:
                if outcome is Outcome.UNSENT:
                    self._ask_soon(now)
                news: News | None = self.balance.failed(endpoint, str(error), now, outcome is Outcome.LOST)
            else:
                news = self.balance.succeeded(endpoint, held.used, now)
                if outcome is Outcome.SHED:
                    self.balance.was_shed(endpoint, now)
            self._plan(now)
            return news

    def abandoned(self, held: Held) -> None:
        """Nobody waits for the answer any more that may still come on it."""
        with self._lock:
            self._drop(held)

    def outrun(self, held: Held, now: float) -> News | None:
        """Another server has answered, though it was asked later. That is a failure: else one that stalls had none."""
        with self._lock:
            self.abandoned(held)
            problem = f"another server was asked {self.options.hedge} s later, and has answered"
            news = self.balance.failed(held.endpoint, problem, now, silent=True)
            self._plan(now)
            return news

    def again(
        self, course: Course, endpoint: Endpoint, outcome: Outcome, left: float | None, now: float
    ) -> Again | None:
        """What comes after an attempt that has failed, with so many seconds left for the whole call."""
        if not course.ended(endpoint, outcome):
            return None
        with self._lock:
            again = course.next(self.balance, self.budget, self._calls, left, now)
            self._repeated += again is not None
            self._unpaid += bool(course.why)
            return again

    def second(self, endpoint: Endpoint, now: float) -> Endpoint | None:
        """Where to make a call a second time whose first attempt, at this server, takes long."""
        with self._lock:
            other = self.balance.other((endpoint,))
            if other is None or not self.budget.spend(self._calls(), now):
                return None
            self._hedged += 1
            return other

    def second_won(self) -> None:
        with self._lock:
            self._hedges_won += 1

    def queued(self) -> None:
        """A call has to wait for another one to end."""
        with self._lock:
            self._queued += 1

    def look(self, now: float) -> Errands:
        """Close what was idle for too long, and say what else is to be done. To be called when it is ``due``."""
        with self._lock:
            for endpoint in self.balance.endpoints:
                for held in list(endpoint.idle):
                    if held.used + self.options.idle < now or held.until < now:
                        self._take_out(held)
            self.balance.grow(now)
            resolve = (self._moved or self._ask_at <= now) and not self._resolving
            if resolve:
                self._resolving, self._moved = True, False
            errands = Errands(self.balance.due(now), resolve)
            self.lender.due = 0.0
            self._plan(now)
            return errands

    def probed(self, endpoint: Endpoint, answers: bool, now: float) -> News | None:
        """Whether a server that was to be asked has answered."""
        with self._lock:
            news = self.balance.probed(endpoint, answers, now)
            self._plan(now)
            return news

    def resolved(self, addresses: Sequence[Address], now: float) -> list[News]:
        """The names stand for these servers. Without any, it goes on with those that there are."""
        if not addresses:
            problem = self.unresolved("the names stand for no server", now)
            return [] if problem is None else [problem]
        with self._lock:
            news: list[News] = [Resolved()] if self._unresolved else []
            self._unresolved = False
            removed, moved = self.balance.update(addresses, now)
            for endpoint in removed:
                self._leaving.append(endpoint)
                self._empty(endpoint)
            if moved is not None:
                news.append(moved)
            self._has_asked(now)
            return news

    def moved(self) -> None:
        """The names stand for other servers: they are to be resolved at the next ``look``. Called from any thread.

        Where there is no lock, a decision on when to look may overtake this: then it waits for the one after, LOOK.
        """
        with self._lock:
            self._moved = True
            self.lender.due = 0.0

    def unresolved(self, problem: str, now: float) -> News | None:
        """The names could not be resolved, or stand for nothing."""
        with self._lock:
            self._has_asked(now)
            if self._unresolved or not self.balance.endpoints:
                return None
            self._unresolved = True
            return Unresolved(problem)

    def close(self) -> None:
        """Close all connections, those with a call when it ends."""
        with self._lock:
            self.closed = True
            for endpoint in self.balance.endpoints:
                endpoint.gone = endpoint.odd = True
                self._empty(endpoint)

    def forked(self, lock: AbstractContextManager[object]) -> None:
        """This is a child of the process that has made the calls, which go on there alone; so do its connections."""
        self._lock = lock
        self._resolving = False
        self.lender.due = 0.0
        for endpoint in (*self.balance.endpoints, *self._leaving):
            endpoint.idle.clear()
            for held in list(endpoint.held):
                self._drop(held)

    def stats(self) -> PoolStats:
        """Counters since the beginning, and how servers do now."""
        with self._lock:
            return PoolStats(
                calls=self._calls(),
                repeated=self._repeated,
                hedged=self._hedged,
                hedges_won=self._hedges_won,
                unpaid=self._unpaid,
                queued=self._queued,
                opened=self._opened,
                servers=tuple(sorted(map(_server, self.balance.endpoints), key=attrgetter("address"))),
            )

    def _new(self, endpoint: Endpoint, now: float) -> Held:
        held = self._make(endpoint)
        held.until = now + self.options.max_age * self.chance.uniform(0.9, 1.1)
        with self._lock:
            self._opened += 1
            endpoint.held.add(held)
            if endpoint.gone and endpoint not in (*self._leaving, *self.balance.endpoints):
                self._leaving.append(endpoint)  # since it was chosen
        return held

    def _drop(self, held: Held) -> None:
        """Close it; it is in nobody's hands."""
        endpoint = held.endpoint
        with self._lock:
            endpoint.calls += held.calls
            endpoint.repeats += held.repeats
            endpoint.held.discard(held)
            self._forget(endpoint)
        held.close()

    def _take_out(self, held: Held) -> None:
        """Drop an idle one, unless somebody has taken it meanwhile."""
        try:
            held.endpoint.idle.remove(held)
        except ValueError:
            return
        self._drop(held)

    def _empty(self, endpoint: Endpoint) -> None:
        """Close what is idle at a server that is gone."""
        for held in list(endpoint.idle):
            self._take_out(held)
        self._forget(endpoint)

    def _forget(self, endpoint: Endpoint) -> None:
        """Keep no more than the calls of a server that is gone, once it has no connection."""
        if endpoint.gone and not endpoint.held and endpoint in self._leaving:
            self._leaving.remove(endpoint)
            self._past += endpoint.calls
            endpoint.calls = 0

    def _calls(self) -> int:
        """A connection counts its own, so that no count is lost, and none goes back."""
        return self._past + sum(_calls(each) for each in (*self.balance.endpoints, *self._leaving))

    def _ask_soon(self, now: float) -> None:
        if self._changing and not self._resolving:
            self._ask_at = min(self._ask_at, max(now, self._asked_at + SELDOM))

    def _has_asked(self, now: float) -> None:
        self._resolving = False
        self._asked_at = now
        self._ask_at = now + self.options.refresh if self._changing else float("inf")
        self._plan(now)

    def _plan(self, now: float) -> None:
        """When to look next: no later than for what is known to be due."""
        look = now + min(LOOK, self.options.idle / 4)
        ask = look if self._resolving else now if self._moved else self._ask_at
        soon = min(look, ask, self.balance.next_event())
        self.lender.due = min(self.lender.due, soon) if self.lender.due > now else soon


@cache
def probe_plan() -> MethodPlan:
    """A method that no IDL may define: who answers that there is none is well, and has executed nothing."""
    return method_plan(Function(name="__probe__", module="", service="", where=Where("", 1, 1)))


def _calls(endpoint: Endpoint) -> int:
    return endpoint.calls + sum(held.calls for held in endpoint.held)


def _repeats(endpoint: Endpoint) -> int:
    return endpoint.repeats + sum(held.repeats for held in endpoint.held)


def _server(endpoint: Endpoint) -> ServerStats:
    return ServerStats(
        address=str(endpoint.address),
        state=endpoint.state.value,
        in_flight=busy(endpoint),
        idle=len(endpoint.idle),
        calls=_calls(endpoint) + _repeats(endpoint),
        failed=endpoint.failed,
        shed=endpoint.shed,
        ejections=endpoint.ejections,
    )
