"""The last minutes: rates and percentiles of every method, step by step, and what happened to the workers.

The scoreboard only knows sums; this samples it and keeps the differences. What one admin process has seen, it leaves to
the one that a reload puts in its place.
"""

from __future__ import annotations

import math
import os
import pickle
from array import array
from collections import deque
from typing import Any, NamedTuple

from thriftserver.admin.reading import Reading, failed
from thriftserver.scoreboard.board import percentile
from thriftserver.scoreboard.layout import BUCKETS
from thriftserver.scoreboard.records import MethodStats, WorkerView

#: Seconds between samples, and how many are kept: ten minutes.
STEP = 2.0
KEPT = 300
#: Samples behind what is called "now": ten seconds.
WINDOW = 5
#: What happened to workers: the newest are kept.
EVENTS = 200

Key = tuple[str, str]
#: The key of all methods together.
ALL: Key = ("", "")


class Now(NamedTuple):
    """Calls and failures per second, and percentiles in seconds (NaN without calls)."""

    rate: float
    failures: float
    p50: float
    p99: float


NOTHING = Now(0.0, 0.0, math.nan, math.nan)


class _Sums(NamedTuple):
    """What a method had been counted at one sample; the histogram without its zeros."""

    calls: int
    failures: int
    histogram: dict[int, int]

    @classmethod
    def of(cls, stats: MethodStats) -> _Sums:
        return cls(stats.calls, failed(stats), {place: n for place, n in enumerate(stats.histogram) if n})

    def since(self, before: _Sums, seconds: float) -> Now:
        histogram = [0] * BUCKETS
        for place, count in self.histogram.items():
            histogram[place] = max(count - before.histogram.get(place, 0), 0)
        calls = max(self.calls - before.calls, 0)
        p50, p99 = (percentile(histogram, part) if any(histogram) else math.nan for part in (0.5, 0.99))
        return Now(calls / seconds, max(self.failures - before.failures, 0) / seconds, p50, p99)


_ZERO = _Sums(0, 0, {})


class _Series:
    """A ring of ``Now``s in plain memory; steps that were never written hold nothing."""

    __slots__ = ("columns",)

    def __init__(self) -> None:
        self.columns = [array("f", [empty]) * KEPT for empty in NOTHING]

    def put(self, step: int, now: Now) -> None:
        for column, value in zip(self.columns, now, strict=True):
            column[step % KEPT] = value


class History:
    """``take`` a reading every ``STEP`` seconds; ask at any time."""

    def __init__(self) -> None:
        self.now: dict[Key, Now] = {}
        self.events: deque[dict[str, Any]] = deque(maxlen=EVENTS)
        self._steps = 0
        self._series: dict[Key, _Series] = {}
        self._past: deque[tuple[int, dict[Key, _Sums]]] = deque(maxlen=WINDOW + 1)
        self._workers: dict[tuple[int, int], tuple[WorkerView, str]] = {}

    @classmethod
    def recall(cls, memory: int) -> History:
        """What the process before this one has left in the file ``memory``, once; else an empty history."""
        left = os.pread(memory, os.fstat(memory).st_size, 0)
        os.ftruncate(memory, 0)  # one that crashes leaves nothing, and its successor must not take older things for now
        try:
            found = pickle.loads(left)  # nobody writes there but processes of this server
        except Exception:  # noqa: BLE001 - nothing, or half of it, by a process that was killed
            return cls()
        return found if isinstance(found, cls) else cls()

    def leave(self, memory: int) -> None:
        """Write everything down for ``recall``."""
        os.pwrite(memory, pickle.dumps(self), 0)

    def take(self, reading: Reading) -> None:
        sums = {key: _Sums.of(stats) for key, stats in reading.methods.items() if stats.calls}
        sums[ALL] = _sum(list(reading.methods.values()))
        if self._past and reading.now > self._past[-1][0]:
            self._record(sums, self._past[-1], reading.now)
            then, before = self._past[max(len(self._past) - WINDOW, 0)]
            seconds = (reading.now - then) / 1e9
            self.now = {key: each.since(before.get(key, _ZERO), seconds) for key, each in sums.items()}
        self._past.append((reading.now, sums))
        self._watch(reading)

    def _record(self, sums: dict[Key, _Sums], last: tuple[int, dict[Key, _Sums]], now: int) -> None:
        then, before = last
        for key, each in sums.items():
            series = self._series.get(key) or self._series.setdefault(key, _Series())
            old = before.get(key, _ZERO)
            idle = each.calls == old.calls
            series.put(self._steps, NOTHING if idle else each.since(old, (now - then) / 1e9))
        self._steps += 1

    def series(self, key: Key, samples: int = KEPT) -> dict[str, list[float | None]]:
        """The newest samples of a method, the oldest first; None where there is no number."""
        count = min(samples, KEPT, self._steps)
        series = self._series.get(key)
        places = range(self._steps - count, self._steps)
        return {
            name: [_json(series.columns[column][place % KEPT]) if series else None for place in places]
            for column, name in enumerate(Now._fields)
        }

    def _watch(self, reading: Reading) -> None:
        """Note what has become of each worker since the last sample."""
        first = not self._past or len(self._past) == 1
        seen = {}
        for worker in reading.workers:
            key = (worker.number, worker.pid)
            state = "stuck" if reading.stuck(worker) else worker.state
            seen[key] = (worker, state)
            before = self._workers.pop(key, None)
            if (before is None and not first) or (before is not None and before[1] != state):
                self._note(reading, worker, "started" if before is None else state)
        for worker, _ in self._workers.values():
            self._note(reading, worker, "ended")
        self._workers = seen

    def _note(self, reading: Reading, worker: WorkerView, what: str) -> None:
        self.events.append(
            {
                "time": (reading.now + reading.wall) / 1e9,
                "worker": worker.number,
                "pid": worker.pid,
                "generation": worker.generation,
                "what": what,
            }
        )


def _sum(methods: list[MethodStats]) -> _Sums:
    histogram: dict[int, int] = {}
    for stats in methods:
        if stats.calls:
            for place, count in enumerate(stats.histogram):
                if count:
                    histogram[place] = histogram.get(place, 0) + count
    return _Sums(sum(stats.calls for stats in methods), sum(map(failed, methods)), histogram)


def _json(value: float) -> float | None:
    """A number that JSON can hold, without digits nobody needs."""
    return None if math.isnan(value) else float(f"{value:.6g}")
