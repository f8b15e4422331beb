"""One connection of a pool, and an attempt of a call on it; and what pools of all kinds have of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from thriftserver.client.chosen import Deadline, Held
from thriftserver.errors import TransportError

if TYPE_CHECKING:
    from thriftserver.client.balance import Endpoint
    from thriftserver.client.channel import Channel
    from thriftserver.client.pool import Shell
    from thriftserver.codec.plan import MethodPlan


class Single(Held):
    """One connection to one server, which has ``most`` seconds for being ``made``."""

    __slots__ = ("channel", "made", "most")

    def __init__(self, endpoint: Endpoint, channel: Any, most: float) -> None:
        super().__init__(endpoint)
        self.channel = channel
        self.most = most
        self.made = False

    def close(self) -> None:
        self.channel.close()


class Connection(Single):
    """One of a pool that blocks."""

    __slots__ = ()
    channel: Channel

    def call(self, plan: MethodPlan, args: Sequence[Any], deadline: Deadline) -> Any:
        """One attempt. Raises what a client does."""
        if not self.made:
            self.channel.ready(part(deadline, self.most))
            self.made = True
        return self.channel.call(plan, args, deadline)


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
