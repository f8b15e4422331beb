"""Whose turn it is: tasks that have something between them, one after the other, in the order in which they asked."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress


class Turns:
    """A number of turns, each taken ``at_once`` or waited for, and passed on at its end. Of one loop."""

    __slots__ = ("_free", "_waiting")

    def __init__(self, free: int) -> None:
        self._free = free
        self._waiting: deque[asyncio.Future[bool]] = deque()

    def at_once(self) -> bool:
        """Take a turn if one is nobody's; whether that was so."""
        if self._free:
            self._free -= 1
            return True
        return False

    async def wait(self, seconds: float | None) -> bool:
        """Take a turn when it comes; False if it does not within so many seconds, None for any number."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._waiting.append(turn)
        alarm = None if seconds is None else loop.call_later(seconds, _give, turn, False)
        taken = False
        try:
            taken = await turn
            return taken
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.exception() is None and turn.result():
                taken = True
                self.pass_on()  # it had come in the moment in which the task was cancelled
            raise
        finally:
            if alarm is not None:
                alarm.cancel()
            if not taken:
                with suppress(ValueError):
                    self._waiting.remove(turn)

    def pass_on(self) -> None:
        """A turn is over, or one more: the next one's begins, before anybody else can take it."""
        while self._waiting:
            if _give(self._waiting.popleft(), True):
                return
        self._free += 1

    def more(self, count: int) -> None:
        """There are so many more turns than before."""
        for _ in range(count):
            self.pass_on()

    def dismiss(self, error: Callable[[], Exception]) -> None:
        """Nobody waits any more: each is told why."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(error())


def _give(turn: asyncio.Future[bool], taken: bool) -> bool:
    if turn.done():
        return False
    turn.set_result(taken)
    return True
