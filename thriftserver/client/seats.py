"""How many calls may be under way: a number of seats, and a line of threads and greenlets that wait for one.

It waits in locks of the standard library, so with and without gevent's patches.
"""

from __future__ import annotations

import threading
from collections import deque


class Seats:
    """``take`` and ``release`` are single operations of a deque while nobody waits. There are none until ``open``."""

    def __init__(self) -> None:
        #: Free ones: ``free.pop()`` takes a seat; IndexError says that ``wait`` must be called.
        self.free: deque[None] = deque()
        self.waiting: deque[_Waiter] = deque()

    def open(self, size: int) -> None:
        self.free.extend([None] * size)
        self.pass_on()

    def close(self) -> None:
        """There are no seats any more. Who waits for one gets it."""
        self.free = deque(maxlen=0)
        while self.waiting:
            self.waiting.popleft().called.release()

    def release(self) -> None:
        """A call is over."""
        self.free.append(None)
        if self.waiting:
            self.pass_on()

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
                self.release()
            raise
        return seated or not self._withdraw(waiter)

    def pass_on(self) -> None:
        """Give free seats to those who wait."""
        while self.waiting:
            try:
                self.free.pop()
            except IndexError:
                return
            try:
                waiter = self.waiting.popleft()
            except IndexError:
                self.free.append(None)
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
