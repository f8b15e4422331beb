"""How many calls may be under way: a number of seats, and a line of threads and greenlets that wait for one.

It waits in locks of the standard library, so with and without gevent's patches.
"""

from __future__ import annotations

import threading
from collections import deque

from thriftserver.client.stack import pop, push


class Seats:
    """To take one and to give it back are single operations of a stack while nobody waits. There are none until
    ``open``.

    What is popped from ``free`` is a seat; if there is none, ``wait`` must be called. What is pushed is given back, and
    ``pass_on`` follows where somebody is ``waiting``. Both containers stay the same ones.
    """

    def __init__(self) -> None:
        self.free: list[bool] = []
        self.waiting: deque[_Waiter] = deque()

    def open(self, size: int) -> None:
        self.free.extend([True] * size)
        self.pass_on()

    def close(self) -> None:
        """There are no free ones any more, until somebody gives one back. Who waits for one gets it."""
        self.free.clear()
        while self.waiting:
            self.waiting.popleft().called.release()

    def wait(self, seconds: float | None) -> bool:
        """Whether a seat has become free within so many seconds, None for any number; it is the caller's then.

        Who came first gets one first.
        """
        waiter = _Waiter()
        self.waiting.append(waiter)
        try:
            self.pass_on()  # one may have become free before we stood in the line
            seated = waiter.called.acquire(timeout=-1 if seconds is None else min(seconds, threading.TIMEOUT_MAX))
        except BaseException:
            if not self._withdraw(waiter):
                push(self.free, True)
                self.pass_on()
            raise
        return seated or not self._withdraw(waiter)

    def pass_on(self) -> None:
        """Give free seats to those who wait."""
        while self.waiting:
            if pop(self.free) is None:
                return
            try:
                waiter = self.waiting.popleft()
            except IndexError:
                push(self.free, True)
            else:
                waiter.called.release()

    def _withdraw(self, waiter: _Waiter) -> bool:
        """Leave the line; False if a seat was given meanwhile."""
        try:
            self.waiting.remove(waiter)
        except ValueError:
            return False
        return True


class _Waiter:
    """A lock that is released by whoever gives the seat."""

    __slots__ = ("called",)

    def __init__(self) -> None:
        self.called = threading.Lock()
        self.called.acquire()
