"""One connection of a pool, and calls on it: the fast path of nearly all of them, and an attempt that takes part in a
race; and what pools of all kinds have of that.

One source: it runs on plain CPython, and Cython compiles it, with ``_pooled.pxd``, into the module ``_pooled``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from thriftserver.errors import TransportError

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if TYPE_CHECKING:
    from thriftserver.client.balance import Endpoint
    from thriftserver.client.pool import Shell
    from thriftserver.codec.plan import MethodPlan

if not cython.compiled:
    from thriftserver.client.channel import Channel
    from thriftserver.client.deadline import Deadline
    from thriftserver.client.lending import Held, Lender
    from thriftserver.client.stack import pop, push
    from thriftserver.rpc.within import clock


class Single(Held):
    """One connection to one server, which has ``most`` seconds for being ``made``."""

    __slots__ = ("channel", "made", "most")

    def __init__(self, endpoint: Endpoint, channel: Any, most: float) -> None:
        Held.__init__(self, endpoint)
        self.channel = channel
        self.most = most
        self.made = False

    def close(self) -> None:
        self.channel.close()


class Connection(Single):
    """One of a pool that blocks."""

    __slots__ = ()

    def call(self, plan: MethodPlan, args: Sequence[Any], deadline: Deadline) -> Any:
        """One attempt. Raises what a client does."""
        channel: Channel = self.channel
        if not self.made:
            channel.ready(part(deadline, self.most))
            self.made = True
        return channel.call(plan, args, deadline)


class FastPath:
    """What nearly every call of a pool that blocks is: it takes a seat and a connection, is answered, and gives both
    back. What else there may be to do is for who derives a class from it.

    ``free`` and ``waiting`` are those of its ``seats``. A ``careful`` one makes more of attempts of idempotent calls.
    """

    __slots__ = ("careful", "closed", "free", "lender", "timeout", "waiting")

    def __init__(self, timeout: float | None, lender: Lender, careful: bool) -> None:
        self.timeout = timeout
        self.lender = lender
        self.careful = careful
        self.closed = False
        self.free: list[bool] = []
        self.waiting: deque[Any] = deque()

    def call(self, plan: MethodPlan, args: Sequence[Any]) -> Any:
        """One call of a method. Raises what a client does, and RuntimeError when the pool is closed."""
        deadline = Deadline.__new__(Deadline)
        deadline.begin(self.timeout)
        free, lender = self.free, self.lender
        if self.closed:
            raise RuntimeError("the pool is closed")
        if pop(free) is None:
            self.wait(deadline)
        try:
            now = clock() / 1e9
            if now >= lender.due:
                self.look(now)
            held: Any = lender.take(now)
            if self.careful and plan.idempotent:
                return self.persist(plan, args, deadline, held, None)
            failure: BaseException | None = None
            try:
                answer = held.call(plan, args, deadline)
            except BaseException as error:  # noqa: BLE001 - raised by ``persist``, if nothing helps
                failure = error
            if failure is not None:
                return self.persist(plan, args, deadline, held, failure)
            if lender.give(held):
                self.answered(held)
            return answer
        finally:
            push(free, True)
            if self.waiting:
                self.pass_on()

    def wait(self, deadline: Deadline) -> None:
        """A seat for a call, when there is none free. Raises TransportError, and RuntimeError when it is closed."""
        raise NotImplementedError

    def pass_on(self) -> None:
        """Give free seats to those who wait."""
        raise NotImplementedError

    def look(self, now: float) -> None:
        """Do what is to be done beside the calls."""
        raise NotImplementedError

    def answered(self, held: Held) -> None:
        """A call was answered, by a server that wants to hear of it."""
        raise NotImplementedError

    def persist(
        self, plan: MethodPlan, args: Sequence[Any], deadline: Deadline, held: Any, failure: BaseException | None
    ) -> Any:
        """Make a call until it is answered or must not be made again; ``failure`` is that of its first attempt."""
        raise NotImplementedError


class Attempt:
    """An attempt that takes part in a race."""

    def __init__(
        self, shell: Shell, held: Connection, plan: MethodPlan, args: Sequence[Any], deadline: Deadline
    ) -> None:
        self.held, self.plan, self.args, self.deadline = held, plan, args, deadline
        self._shell = shell

    def run(self) -> Any:
        return self.held.call(self.plan, self.args, self.deadline)

    def abort(self) -> None:
        self.held.channel.abort()

    def dropped(self) -> None:
        self._shell.pooling.abandoned(self.held)

    def outrun(self) -> None:
        self._shell.outrun(self.held)

    def ended(self, error: BaseException | None) -> None:
        if error is not None:
            self._shell.failed(self.held, error, self.deadline)
            return
        self._shell.pooling.second_won()
        if self._shell.pooling.give(self.held):
            self._shell.answered(self.held)


def left_of(deadline: Deadline) -> float | None:
    """Seconds that are left, 0 if there are none; None for any number."""
    try:
        return deadline.left()
    except TransportError:
        return 0.0


def part(deadline: Deadline, most: float | None) -> Deadline:
    """A deadline for something within another one, for so many seconds at most. Raises TransportError if it is over."""
    left = left_of(deadline)
    if left == 0:
        deadline.enter("queueing")
        raise TransportError(str(deadline.passed()), "", deadline.phase, executed=False)
    return Deadline(left if most is None or (left is not None and left < most) else most)
