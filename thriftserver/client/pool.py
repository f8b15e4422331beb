"""Clients of several servers, for threads and greenlets at the same time: a pool of connections.

What is decided stands in ``pooling``; this is the shell that waits, in the standard library's sockets and locks, so
with and without gevent's patches. Beside the calls there are short-lived threads (greenlets under gevent): one that
asks a server whether it is back, one that resolves names anew, one for the second attempt of a call that takes long.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextvars import Context
from functools import partial
from typing import Any, Self
from weakref import WeakSet

from thriftserver.client.balance import Endpoint
from thriftserver.client.chosen import Attempt, Channel, Connection, Deadline, FastPath, Held, left_of, part
from thriftserver.client.hedging import Race, Watch
from thriftserver.client.methods import caller_class, plain
from thriftserver.client.news import News, tell
from thriftserver.client.pooling import PROBE, Pooling, PoolOptions, probe_plan
from thriftserver.client.pools import AnyPool
from thriftserver.client.retry import Course, Outcome, outcome_of
from thriftserver.client.seats import Seats
from thriftserver.client.stack import pop
from thriftserver.codec.plan import MethodPlan
from thriftserver.discovery.resolvers import Resolver, follow, follows, is_fixed
from thriftserver.errors import ApplicationError, TransportError
from thriftserver.schema.model import Service


class Pool(AnyPool):
    """Connections to the servers of a service, for any number of threads and greenlets at the same time.

    Made by ``api.Service.Pool(host, port)``; its methods are those of the IDL, as ``Client`` has them. ``host`` may be
    a list of servers, or a name that stands for some (``dns://``, ``dns+srv://``); a call goes to one of those with few
    calls in flight. ``timeout``, ``max_frame``, ``service``, ``dialect``, ``keepalive``, ``path`` and ``tls`` are
    those of ``Client``.

    ``size`` calls may be under way at once; others ``wait`` for so many seconds, None for as long as they may take. A
    connection is closed that was ``idle`` for so many seconds, or is older than ``max_age``.

    A call that its server has not executed is made again at another one; so is one whose fate is unknown if the IDL
    declares the method ``(thriftserver.idempotent)``. All attempts are made within the time of the call. Repeats may be
    a share of ``retries`` of all calls, 0 for none, and a few beside. ``connect_timeout`` is for connecting once, and
    ``attempt_timeout`` for one attempt of an idempotent call, None for all of its time. With ``hedge``, a second
    attempt of an idempotent call begins at another server after so many seconds, and the first answer counts.

    A server is left out after ``eject_after`` failures in a row, for ``eject_for`` seconds, and for twice as long each
    time. Names are resolved again every ``refresh`` seconds, and when connecting fails.

    ``stats()`` says what it does; so does the log ``thriftserver.pool``, once for each change. It makes no connection
    before the first call. ``close``, or the end of a ``with``, ends it.
    """

    __shell__: Shell

    def __parts__(self) -> tuple[type[Shell], type[Channel], type[Connection]]:
        return Shell, Channel, Connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.__close__()

    def __close__(self) -> None:
        self.__shell__.close()

    def __invoke__(self, plan: MethodPlan, args: Sequence[Any]) -> Any:
        return self.__shell__.call(plan, args)


class Shell(FastPath):
    """What a pool's calls have in common, and what is to be done for those that are not answered just so."""

    def __init__(
        self,
        name: str,
        where: Resolver,
        timeout: float | None,
        options: PoolOptions,
        connection: Callable[[Endpoint], Connection],
    ) -> None:
        self.pooling = Pooling(options, connection, threading.RLock(), not is_fixed(where), time.monotonic())
        careful = options.attempt_timeout is not None or options.hedge is not None
        super().__init__(timeout, self.pooling.lender, careful)
        self._seat(Seats())
        self._name = name.removesuffix("Pool")
        self._where = where
        self._options = options
        self._connection = connection
        self._watch = Watch(options.hedge or 0.0, _start)
        #: Held by who resolves the names for the first time.
        self._opening = threading.Lock()
        self._open = False
        if is_fixed(where):
            self._resolve(None)
        else:
            follow(where, self.pooling.moved)
        _pools.add(self)

    def close(self) -> None:
        self.closed = True
        self.pooling.close()
        self.seats.close()

    def forked(self) -> None:
        """This process is a child of the one that has made the calls which are under way."""
        self._seat(Seats())
        self._opening = threading.Lock()
        self._watch = Watch(self._watch.after, _start)
        self.pooling.forked(threading.RLock())
        if follows(self._where):
            self.pooling.moved()  # nobody follows in this process yet
        if self._open and not self.closed:
            self.seats.open(self._options.size)

    def wait(self, deadline: Deadline) -> None:
        deadline.enter("queueing")
        if not (self._open or self.closed):
            self._open_up(deadline)
            deadline.enter("queueing")
        if self.closed or not self._seated(deadline):
            raise RuntimeError("the pool is closed")

    def pass_on(self) -> None:
        self.seats.pass_on()

    def look(self, now: float) -> None:
        errands = self.pooling.look(now)
        for endpoint in errands.probes:
            _start(partial(self._probe, endpoint))
        if errands.resolve:
            _start(partial(self._resolve, None))

    def answered(self, held: Held) -> None:
        self._tell(self.pooling.answered(held, time.monotonic()))

    def failed(self, held: Held, error: BaseException, deadline: Deadline) -> Outcome:
        """What an attempt says of its server that has ended with this error; its connection is taken back."""
        outcome = outcome_of(error)
        if outcome is Outcome.ANSWERED:
            if self.pooling.give(held):
                self.answered(held)
        else:
            self._tell(self.pooling.failed(held, outcome, error, left_of(deadline), time.monotonic()))
        return outcome

    def outrun(self, held: Held) -> None:
        """Another server has answered, though it was asked later."""
        self._tell(self.pooling.outrun(held, time.monotonic()))

    def persist(
        self, plan: MethodPlan, args: Sequence[Any], deadline: Deadline, held: Any, failure: BaseException | None
    ) -> Any:
        course = Course(plan.idempotent, self.pooling.chance)
        while True:
            if failure is None:
                try:
                    return self._attempt(plan, args, deadline, held)
                except BaseException as error:  # noqa: BLE001 - raised below, if nothing helps
                    failure = error
            outcome = self.failed(held, failure, deadline)
            again = self.pooling.again(course, held.endpoint, outcome, left_of(deadline), time.monotonic())
            if again is None:
                try:
                    raise course.told(failure)
                finally:
                    failure = None  # it refers to this frame
            failure = None
            if again.pause:
                time.sleep(again.pause)
            held = self.pooling.take_of(again.endpoint, time.monotonic())

    def _seat(self, seats: Seats) -> None:
        """From now on calls take these seats."""
        self.seats = seats
        self.free, self.waiting = seats.free, seats.waiting

    def _attempt(self, plan: MethodPlan, args: Sequence[Any], deadline: Deadline, held: Connection) -> Any:
        """One attempt, or two that race. The connection is given back, unless there was an error."""
        own = part(deadline, self._options.attempt_timeout if plan.idempotent else None)
        if self._options.hedge is None or not plan.idempotent:
            answer = held.call(plan, args, own)
        else:
            first = Attempt(self, held, plan, args, own)
            race = Race(first, partial(self._second, first), time.monotonic() + self._options.hedge)
            self._watch.watch(race)
            answer = race.run()
            if race.second_won:
                return answer
        if self.pooling.give(held):
            self.answered(held)
        return answer

    def _second(self, first: Attempt) -> Attempt | None:
        """Another attempt at another server, if there is time and it is paid for."""
        now, left = time.monotonic(), left_of(first.deadline)
        other = None if left == 0 else self.pooling.second(first.held.endpoint, now)
        if other is None:
            return None
        held: Any = self.pooling.take_of(other, now)
        return Attempt(self, held, first.plan, first.args, Deadline(left))

    def _seated(self, deadline: Deadline) -> bool:
        """Wait for a seat; False if the pool was closed meanwhile. Raises TransportError."""
        if pop(self.free):
            return True
        self.pooling.queued()
        left, most = deadline.left(), self._options.wait
        if not self.seats.wait(most if left is None or (most is not None and most < left) else left):
            deadline.left()  # raises if it is the call's time that is over
            text = f"no connection was free within {most} s: {self._options.size} calls are under way"
            raise TransportError(text, "", deadline.phase, executed=False)
        return not self.closed

    def _open_up(self, deadline: Deadline) -> None:
        """Resolve the names, once for all calls that wait for it. Raises TransportError."""
        left = deadline.left()
        if not self._opening.acquire(timeout=-1 if left is None else left):
            raise deadline.passed()
        try:
            if not self._open:
                deadline.enter("resolving")
                problem = self._resolve(deadline.left())
                if not self._open:
                    raise TransportError(problem, "", deadline.phase, executed=False)
        finally:
            self._opening.release()

    def _resolve(self, timeout: float | None) -> str:
        """See what the names stand for; why that is not known, if so."""
        problem = "there is no server to connect to"
        try:
            addresses = self._where.addresses(timeout)
        except Exception as error:  # noqa: BLE001 - a resolver may be anybody's
            addresses, problem = [], str(error) or type(error).__name__
        now = time.monotonic()
        if not addresses:
            self._tell(self.pooling.unresolved(problem, now))
            return problem
        for news in self.pooling.resolved(addresses, now):
            self._tell(news)
        if not self._open:
            self._open = True
            self.seats.open(self._options.size)
        return ""

    def _probe(self, endpoint: Endpoint) -> None:
        """Ask a server whether it is back: for a method that no service has, so that nothing is executed."""
        connection = self._connection(endpoint)
        deadline = Deadline(min(self.timeout or PROBE, PROBE))
        answers = False
        try:
            connection.call(probe_plan(), (), deadline)
        except ApplicationError:
            answers = True
        except TransportError as error:
            answers = error.executed and bool(
                left_of(deadline)
            )  # some servers close where others say that they have none
        finally:
            connection.close()
            self._tell(self.pooling.probed(endpoint, answers, time.monotonic()))

    def _tell(self, news: News | None) -> None:
        if news is not None:
            tell(self._name, news)


def _start(work: Callable[[], object]) -> None:
    """Do something in a thread of its own, or a greenlet: in no call's context."""
    thread = threading.Thread(target=Context().run, args=(work,), name="thriftserver.pool", daemon=True)
    with contextlib.suppress(RuntimeError):  # the interpreter is about to end
        thread.start()


#: All that there are: a forked child goes on without their connections.
_pools: WeakSet[Shell] = WeakSet()


def _in_child() -> None:
    for shell in list(_pools):
        shell.forked()


os.register_at_fork(after_in_child=_in_child)


def pool_class(service: Service) -> type[Pool]:
    """The class of a service's pools, with one method for each of the IDL's."""
    return caller_class(service, Pool, "Pool", {"close": "__close__", "stats": "__stats__"}, plain)
