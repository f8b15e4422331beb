"""When calls are due at a given rate, whoever is slow: what makes a test an open loop."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from thriftserver.quantities import LONGEST


class Pace(NamedTuple):
    """Calls per second: ``first`` at the start, ``last`` after ``ramp`` seconds and from then on, even in between."""

    first: float
    last: float
    ramp: float = 0.0

    def due(self, number: float) -> float:
        """Seconds after the start at which the call of this number is due; the first one has number 0."""
        rising = (self.first + self.last) / 2 * self.ramp
        if number >= rising:
            return self.ramp + (number - rising) / self.last
        steeper = (self.last - self.first) / self.ramp
        # Calls until t are first * t + steeper * t**2 / 2; this form of its inverse is exact where nothing rises.
        return 2 * number / (self.first + math.sqrt(max(self.first**2 + 2 * steeper * number, 0.0)) or 1.0)

    def __str__(self) -> str:
        rate = f"{self.last:,.6g}" if self.first == self.last else f"{self.first:,.6g} to {self.last:,.6g}"
        return f"{rate} calls/s" + (f" within {self.ramp:.6g} s" if self.ramp and self.first != self.last else "")


def rate(text: str) -> tuple[float, float]:
    """Calls per second from ``500``, or two such numbers from ``100..5000``: at the start, and at the end."""
    first, dots, last = text.partition("..")
    try:
        numbers = float(first), float(last if dots else first)
    except ValueError:
        numbers = (math.nan, math.nan)
    if not all(each == 0 or 1 / LONGEST <= each <= LONGEST for each in numbers) or not numbers[1]:
        raise ValueError(f"{text!r} is no rate; write calls per second (500), or how it changes (100..5000)")
    return numbers


class Schedule(Protocol):
    """When the next call is to be made, in nanoseconds of the monotonic clock."""

    def due(self, now: int) -> int | None:
        """Not later than ``now`` if it is to be made at once; None if there is none any more."""

    def took(self, now: int) -> None:
        """It was made: the one after it is next."""


class Closed:
    """Whoever is free makes the next call: any number before ``begin``, then only so many, and only until ``end``."""

    def __init__(self, begin: int, end: int | None, calls: int | None) -> None:
        self._begin, self._end, self._left = begin, end, calls

    def due(self, now: int) -> int | None:
        if now >= self._begin and (self._left == 0 or (self._end is not None and now >= self._end)):
            return None
        return now

    def took(self, now: int) -> None:
        if self._left is not None and now >= self._begin:
            self._left -= 1


class Open:
    """Calls are due at a pace of their own: one of ``parts`` processes makes every so many-th of them.

    From ``begin`` on there are so many, and none at ``end`` or later; before, from ``start`` on, they come as the first
    ones after it do.
    """

    def __init__(
        self, pace: Pace, part: int, parts: int, start: int, begin: int, end: int | None, calls: int | None
    ) -> None:
        self._dues = self._all(pace, part, parts, start, begin, end, calls)
        self._next = next(self._dues, None)

    def due(self, now: int) -> int | None:
        return self._next

    def took(self, now: int) -> None:
        self._next = next(self._dues, None)

    @staticmethod
    def _all(
        pace: Pace, part: int, parts: int, start: int, begin: int, end: int | None, calls: int | None
    ) -> Iterator[int]:
        even = Pace(*[pace.first or pace.last] * 2)
        for number in itertools.count(part, parts):
            due = start + int(even.due(number) * 1e9)
            if due >= begin:
                break
            yield due
        for number in itertools.count(part, parts):
            due = begin + int(pace.due(number) * 1e9)
            if (calls is not None and number >= calls) or (end is not None and due >= end):
                return
            yield due
