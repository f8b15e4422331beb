"""Clients of several servers, for the tasks of an asyncio loop: a pool of connections.

What is decided stands in ``pooling``; this is the shell that waits. Beside the calls there are tasks that ask a server
whether it is back, and one that resolves names anew.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import nullcontext
from contextvars import Context
from typing import TYPE_CHECKING, Any, Self

from thriftserver.client.aio.channel import Channel, Home, addresses_of
from thriftserver.client.aio.pooled import Connection, Race
from thriftserver.client.aio.turns import Turns
from thriftserver.client.chosen import Deadline, Held, left_of, part
from thriftserver.client.methods import caller_class, coroutine
from thriftserver.client.news import News, tell
from thriftserver.client.pooling import PROBE, Pooling, PoolOptions, probe_plan
from thriftserver.client.pools import AnyPool
from thriftserver.client.retry import Course, Outcome, outcome_of
from thriftserver.codec.plan import MethodPlan
from thriftserver.discovery.resolvers import Resolver, follow, follows, is_fixed
from thriftserver.errors import ApplicationError, TransportError
from thriftserver.schema.model import Service

if TYPE_CHECKING:
    from thriftserver.client.balance import Endpoint
    from thriftserver.discovery.addresses import Address


class AsyncPool(AnyPool):
    """Connections to the servers of a service, for any number of tasks of one loop.

    Made by ``api.Service.AsyncPool(host, port)``; it takes what ``Pool`` takes, its methods are awaited, and it does
    what ``Pool`` does. A call that is cancelled closes the connection that it was made on. ``aclose``, or the end of an
    ``async with``, ends it.
    """

    __shell__: Shell

    def __parts__(self) -> tuple[type[Shell], type[Channel], type[Connection]]:
        return Shell, Channel, Connection

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.__close__()

    async def __close__(self) -> None:
        if self.__shell__.home.moved(self):
            self.__shell__.moved()
        await self.__shell__.close()

    async def __invoke__(self, plan: MethodPlan, args: Sequence[Any]) -> Any:
        shell = self.__shell__
        if shell.home.moved(self):
            shell.moved()
        deadline = Deadline(shell.timeout)
        seats = shell.seats
        if not seats.at_once():
            await shell.wait(deadline)
        try:
            pooling = shell.pooling
            now = time.monotonic()
            if now >= pooling.lender.due:
                shell.look(now)
            held: Any = pooling.take(now)
            if plan.idempotent and shell.careful:
                return await shell.persist(plan, args, deadline, held, None)
            failure: BaseException | None = None
            try:
                answer = await held.call(plan, args, deadline)
            except BaseException as error:  # noqa: BLE001 - raised by ``persist``, if nothing helps
                failure = error
            if failure is not None:
                return await shell.persist(plan, args, deadline, held, failure)
            if pooling.give(held):
                shell.answered(held)
            return answer
        finally:
            seats.pass_on()


class Shell:
    """What a pool's calls have in common."""

    def __init__(
        self,
        name: str,
        where: Resolver,
        timeout: float | None,
        options: PoolOptions,
        connection: Callable[[Endpoint], Connection],
    ) -> None:
        self.timeout = timeout
        self.home = Home()
        #: Of those that may be under way: none before it is known where the servers are.
        self.seats = Turns(0)
        self.pooling = Pooling(options, connection, nullcontext(), not is_fixed(where), time.monotonic())
        #: Are attempts of idempotent calls more than calls?
        self.careful = options.attempt_timeout is not None or options.hedge is not None
        self._name = name.removesuffix("AsyncPool")
        self._where = where
        self._options = options
        self._connection = connection
        #: Taken by who resolves the names for the first time.
        self._opening = Turns(1)
        self._open = False
        self._errands: set[asyncio.Task[Any]] = set()
        if is_fixed(where):
            self._found(where.addresses(None))
        else:
            follow(where, self.pooling.moved)

    async def close(self) -> None:
        """Calls that are under way come to their end; those that wait do not."""
        channels = [held.channel for held in self._idle()]
        self.pooling.close()
        self.seats.dismiss(_closed)
        self._opening.dismiss(_closed)
        self.seats = Turns(0)
        errands = list(self._errands)
        for errand in errands:
            errand.cancel()
        await asyncio.gather(*errands, *(channel.aclose() for channel in channels), return_exceptions=True)

    def moved(self) -> None:
        """There is another loop than that of the calls which are under way, if there are any."""
        self.pooling.forked(nullcontext())
        if follows(self._where):
            self.pooling.moved()  # this may be another process, in which nobody follows yet
        self.seats, self._opening = Turns(self._options.size if self._open and not self.pooling.closed else 0), Turns(1)
        self._errands.clear()

    async def wait(self, deadline: Deadline) -> None:
        """A seat for a call, when there is none free. Raises TransportError."""
        if not (self._open or self.pooling.closed):
            await self._open_up(deadline)
        if self.pooling.closed:
            raise _closed()
        if self.seats.at_once():
            return
        deadline.enter("queueing")
        self.pooling.queued()
        left, most = deadline.left(), self._options.wait
        patient = most is None or (left is not None and left <= most)
        if not await self.seats.wait(left if patient else most):
            if patient:
                raise deadline.passed()
            text = f"no connection was free within {most} s: {self._options.size} calls are under way"
            raise TransportError(text, "", deadline.phase, executed=False)

    def look(self, now: float) -> None:
        """Do what is to be done beside the calls."""
        errands = self.pooling.look(now)
        for endpoint in errands.probes:
            self._start(self._probe(endpoint))
        if errands.resolve:
            self._start(self._resolve(None))

    def answered(self, held: Held) -> None:
        """A call was answered, by a server that wants to hear of it."""
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

    async def persist(
        self, plan: MethodPlan, args: Sequence[Any], deadline: Deadline, held: Any, failure: BaseException | None
    ) -> Any:
        """Make a call until it is answered or must not be made again; ``failure`` is that of its first attempt."""
        course = Course(plan.idempotent, self.pooling.chance)
        while True:
            if failure is None:
                try:
                    return await self._attempt(plan, args, deadline, held)
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
                await asyncio.sleep(again.pause)
            held = self.pooling.take_of(again.endpoint, time.monotonic())

    async def _attempt(self, plan: MethodPlan, args: Sequence[Any], deadline: Deadline, held: Connection) -> Any:
        """One attempt, or two that race. The connection is given back, unless there was an error."""
        own = part(deadline, self._options.attempt_timeout if plan.idempotent else None)
        if self._options.hedge is None or not plan.idempotent:
            answer = await held.call(plan, args, own)
        else:
            race = Race(self, plan, args)
            answer = await race.run(held, own, self._options.hedge)
            if race.second_won:
                return answer
        if self.pooling.give(held):
            self.answered(held)
        return answer

    async def _open_up(self, deadline: Deadline) -> None:
        """Resolve the names, once for all calls that wait for it. Raises TransportError."""
        opening = self._opening
        if not opening.at_once():
            deadline.enter("queueing")
            if not await opening.wait(deadline.left()):
                raise deadline.passed()
        try:
            if not self._open:
                deadline.enter("resolving")
                problem = await self._resolve(deadline.left())
                if not self._open:
                    raise TransportError(problem, "", deadline.phase, executed=False)
        finally:
            opening.pass_on()

    async def _resolve(self, timeout: float | None) -> str:
        """See what the names stand for; why that is not known, if so."""
        problem = "there is no server to connect to"
        try:
            addresses = await addresses_of(self._where, timeout)
        except Exception as error:  # noqa: BLE001 - a resolver may be anybody's
            addresses, problem = [], str(error) or type(error).__name__
        if self.pooling.closed:
            raise _closed()
        if not addresses:
            self._tell(self.pooling.unresolved(problem, time.monotonic()))
            return problem
        self._found(addresses)
        return ""

    def _found(self, addresses: Sequence[Address]) -> None:
        for news in self.pooling.resolved(addresses, time.monotonic()):
            self._tell(news)
        if not self._open:
            self._open = True
            self.seats.more(self._options.size)

    async def _probe(self, endpoint: Endpoint) -> None:
        """Ask a server whether it is back: for a method that no service has, so that nothing is executed."""
        connection = self._connection(endpoint)
        deadline = Deadline(min(self.timeout or PROBE, PROBE))
        answers = False
        try:
            await connection.call(probe_plan(), (), deadline)
        except ApplicationError:
            answers = True
        except TransportError as error:
            # Some servers close where others say that they have none.
            answers = error.executed and bool(left_of(deadline))
        finally:
            connection.close()
            self._tell(self.pooling.probed(endpoint, answers, time.monotonic()))

    def _start(self, errand: Coroutine[Any, Any, Any]) -> None:
        """In a task of its own, and in no call's context."""
        task = asyncio.get_running_loop().create_task(errand, context=Context())
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    def _idle(self) -> list[Any]:
        return [held for endpoint in self.pooling.balance.endpoints for held in endpoint.idle]

    def _tell(self, news: News | None) -> None:
        if news is not None:
            tell(self._name, news)


def _closed() -> RuntimeError:
    return RuntimeError("the pool is closed")


def async_pool_class(service: Service) -> type[AsyncPool]:
    """The class of a service's asyncio pools, with one coroutine method for each of the IDL's."""
    return caller_class(service, AsyncPool, "AsyncPool", {"aclose": "__close__", "stats": "__stats__"}, coroutine)
