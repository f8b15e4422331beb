"""What the processes of a load test have said, put together while it runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from thriftserver.loadtest.tally import Tally


class Second(NamedTuple):
    """What was counted in one second of a test, the first of which is 0. Durations are in nanoseconds, 0 of no call."""

    number: int
    calls: int
    errors: int
    p50: float
    p99: float
    greatest: float


class Gathered:
    """Everything so far. ``methods`` are tallies in the order of the workload's, ``seconds`` those that are complete.

    ``stopped``: before its end. ``lost`` are processes that were killed, ``cpu`` is the share of a processor that the
    busiest process took, ``elapsed`` is in seconds; ``late`` and ``waited`` are calls as the driver has them.
    """

    def __init__(self, called: Sequence[str], processes: int) -> None:
        self.called = tuple(called)
        self.methods = [Tally() for _ in called]
        self.seconds: list[Second] = []
        self.stopped = False
        self.lost = 0
        self.elapsed = self.cpu = 0.0
        self.late = self.waited = 0
        self._processes = processes
        #: Seconds of which not all have told, and how many have.
        self._open: dict[int, tuple[int, Tally]] = {}

    @property
    def total(self) -> Tally:
        """All methods together."""
        total = Tally()
        for each in self.methods:
            total.add(each)
        return total

    def take(self, message: Mapping[str, Any]) -> bool:
        """What a process says. Is a second complete with it?"""
        if "interval" not in message:
            self.elapsed = max(self.elapsed, message["seconds"])
            self.cpu = max(self.cpu, message["cpu"])
            self.late += message["late"]
            self.waited += message["waited"]
            return False
        number = message["interval"]
        told, all_methods = self._open.pop(number, (0, Tally()))
        for tally, data in zip(self.methods, message["methods"], strict=True):
            one = Tally.of(data)
            tally.add(one)
            all_methods.add(one)
        self._open[number] = (told + 1, all_methods)
        if told + 1 < self._processes:
            return False
        self._close(number)
        return True

    def finish(self) -> None:
        """Nobody will say anything any more: seconds that some have not told are as complete as they get."""
        for number in sorted(self._open):
            self._close(number)
        self.elapsed = self.elapsed or float(len(self.seconds))

    def _close(self, number: int) -> None:
        _, tally = self._open.pop(number)
        times = tally.times
        quantiles = times.quantile(0.5), times.quantile(0.99), float(times.greatest)
        self.seconds.append(Second(number, tally.calls, tally.errors, *quantiles))
