"""One connection of an asyncio pool, and attempts of a call that race."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from thriftserver.client.chosen import Deadline, Single, left_of, part
from thriftserver.client.retry import Outcome, outcome_of

if TYPE_CHECKING:
    from thriftserver.client.aio.channel import Channel
    from thriftserver.client.aio.pool import Shell
    from thriftserver.codec.plan import MethodPlan


class Connection(Single):
    """One of a pool of asyncio's."""

    __slots__ = ()
    channel: Channel

    async def call(self, plan: MethodPlan, args: Sequence[Any], deadline: Deadline) -> Any:
        """One attempt. Raises what a client does."""
        if not self.made:
            await self.channel.ready(part(deadline, self.most))
            self.made = True
        return await self.channel.call(plan, args, deadline)


class Race:
    """Attempts of one call: a first one, and after a while a second one at another server. The first answer counts."""

    def __init__(self, shell: Shell, plan: MethodPlan, args: Sequence[Any]) -> None:
        #: Was it the second attempt that was answered first? Then both connections have been taken back.
        self.second_won = False
        self._shell = shell
        self._plan = plan
        self._args = args

    async def run(self, first: Connection, deadline: Deadline, after: float) -> Any:
        """The answer of either; or what the first attempt raises, if the second one has none."""
        one = self._begin(first, deadline)
        try:
            await asyncio.wait({one}, timeout=after)
            second = None if one.done() else self._second(first, deadline)
            return await (one if second is None else self._both(first, one, deadline, *second))
        finally:
            await _end(one)

    def _begin(self, held: Connection, deadline: Deadline) -> asyncio.Task[Any]:
        return asyncio.get_running_loop().create_task(held.call(self._plan, self._args, deadline))

    def _second(self, first: Connection, deadline: Deadline) -> tuple[Connection, Deadline] | None:
        """A connection to another server, if there is time and it is paid for."""
        now, left, pooling = time.monotonic(), left_of(deadline), self._shell.pooling
        other = None if left == 0 else pooling.second(first.endpoint, now)
        if other is None:
            return None
        held: Any = pooling.take_of(other, now)
        return held, Deadline(left)

    async def _both(
        self, first: Connection, one: asyncio.Task[Any], deadline: Deadline, second: Connection, own: Deadline
    ) -> Any:
        other = self._begin(second, own)
        try:
            await asyncio.wait({one, other}, return_when=asyncio.FIRST_COMPLETED)
            if one.done():
                if _is_answer(one):
                    return one.result()
                await _over(other)
            if other.exception() is not None:
                return await one
            self.second_won = True
            if one.done():
                self._shell.failed(first, one.exception() or asyncio.CancelledError(), deadline)
            else:
                await _end(one)
                self._shell.outrun(first)
            return other.result()
        finally:
            try:
                await _end(other)
            finally:
                self._take_back(second, other, own)

    def _take_back(self, second: Connection, other: asyncio.Task[Any], deadline: Deadline) -> None:
        shell = self._shell
        if not other.done() or other.cancelled():
            shell.pooling.abandoned(second)
        elif (problem := other.exception()) is not None:
            shell.failed(second, problem, deadline)
        else:
            if self.second_won:
                shell.pooling.second_won()
            if shell.pooling.give(second):
                shell.answered(second)


async def _end(task: asyncio.Task[Any]) -> None:
    """Cancel it unless it is over, and wait for its end."""
    if not task.done():
        task.cancel()
        await _over(task)
    if not task.cancelled():
        task.exception()  # has been seen


async def _over(task: asyncio.Task[Any]) -> None:
    """Wait for its end, whatever that is."""
    if not task.done():
        await asyncio.wait({task})


def _is_answer(task: asyncio.Task[Any]) -> bool:
    error = asyncio.CancelledError() if task.cancelled() else task.exception()
    return error is None or outcome_of(error) is Outcome.ANSWERED
