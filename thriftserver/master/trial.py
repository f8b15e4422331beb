"""Reads what the worker on trial and those beside it have done, slice by slice, and has ``judgement`` judge it.

It looks at the scoreboard and at /proc and asks nobody; what follows from a verdict is ``policy``'s to decide.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from msgspec import Struct

from thriftserver.log import Logger
from thriftserver.master.events import Judged, State, Try, Worker
from thriftserver.master.health import resident
from thriftserver.master.judgement import (
    ALPHA,
    MUST_SEE,
    SHOWN,
    Evidence,
    Histogram,
    Side,
    Slice,
    Tally,
    Verdict,
    judge,
    together,
    weigh,
)
from thriftserver.master.obituary import UNASKED
from thriftserver.scoreboard import layout
from thriftserver.scoreboard.board import Board
from thriftserver.scoreboard.records import WorkerView

#: A trial has so many slices, but none is shorter or longer than so many seconds.
SLICES, SHORTEST, LONGEST = 60, 0.05, 2.0
#: The part of a trial, and the seconds at most, for which the new worker warms up.
COLD, COLDEST = 0.2, 30.0
#: Seconds without a heartbeat, of which there are two in each, after which a loop stands still.
STILL = 1.5
#: The part of the master's time that looks may take: where there are many workers and methods, they are fewer.
PART = 0.2

#: What a worker had counted when it was read before: outcomes and histogram by method.
Read = dict[str, tuple[dict[str, int], list[int]]]


class Sum(Struct):
    """One side of a slice, while it is gathered."""

    methods: dict[str, Tally] = {}
    sizes: dict[int, int] = {}
    blocked: int = 0
    crashes: int = 0
    stuck: int = 0
    workers: int = 0

    def side(self, seconds: float) -> Side:
        return Side(self.methods, self.sizes, self.blocked, self.crashes, self.stuck, seconds * self.workers)


class Trial:
    """``begun`` says of which generation and for how long, ``idle`` what follows from too few calls.

    ``beside`` is the board of an older master: its workers are the old side then. ``crashed`` workers the old side has
    had ``before``.
    """

    def __init__(
        self, board: Board, beside: Board | None, begun: Try, idle: str, crashed: int, state: State, log: Logger
    ) -> None:
        now = time.monotonic()
        self._board, self._beside, self._log = board, beside, log
        self.generation, self._idle, self._held = begun.generation, idle, False
        self._began, self._end = now, now + begun.seconds
        self._warm = now + min(COLD * begun.seconds, COLDEST)
        self._period = min(max(begun.seconds / SLICES, SHORTEST), LONGEST)
        self._before: dict[int, tuple[Read, int]] = {}
        self._new, self._old = Sum(), Sum()
        self._exits = _crashes(beside) if beside else 0
        served = beside or board
        lived = (now - served.born / 1e9) * max(served.wanted, 1)
        self._evidence = Evidence((self._exits if beside else crashed, lived))
        self._gather(state, 0.0)  # what they had done before
        self._new, self._old = Sum(), Sum()
        self._last, self.due = now, now + self._period

    def look(self, state: State, now: float) -> Judged | None:
        """The verdict, once there is one."""
        began = time.process_time()
        verdict = self._verdict(state, now)
        self.due = now + max(self._period, (time.process_time() - began) / PART)
        return self._judged(verdict) if verdict else None

    def _verdict(self, state: State, now: float) -> Verdict | None:
        self._evidence = weigh(self._evidence, self._slice(state, now))
        verdict = judge(self._evidence, final=False)
        if verdict.worse or now < self._end:
            return verdict if verdict.worse else None
        verdict = judge(self._evidence, final=True)
        if verdict.enough or self._idle != "hold":
            return verdict
        self._hold(verdict)
        return None

    def judge(self) -> Judged | None:
        """The worker on trial has died: is that the end?"""
        crashes = Slice(Side(crashes=self._new.crashes), Side(crashes=self._old.crashes), warm=False)
        self._new.crashes = self._old.crashes = 0
        self._evidence = weigh(self._evidence, crashes)
        verdict = judge(self._evidence, final=False)
        return self._judged(verdict) if verdict.worse else None

    def died(self, worker: Worker, crashed: bool) -> None:
        """A worker is gone: take what it has counted before it is folded."""
        side = self._new if worker.generation == self.generation else self._old
        side.crashes += crashed
        view = self._board.worker(worker.number)
        if view is not None and worker.ready:
            self._add(side, view)
        self._before.pop(worker.pid, None)

    def _hold(self, verdict: Verdict) -> None:
        if not self._held:
            self._held = True
            advice = "it goes on trying one worker until there are; another reload gives it up"
            self._log.warning("canary_held", **self._facts(verdict), advice=advice)

    def _judged(self, verdict: Verdict) -> Judged:
        facts = self._facts(verdict)
        if not verdict.worse:
            return Judged(True, facts, doubt=not verdict.enough)
        shown = verdict.worse[:SHOWN]
        facts["evidence"] = [{"what": each.what, "text": each.text, "chance": each.chance} for each in shown]
        return Judged(False, facts, verdict.reason)

    def _facts(self, verdict: Verdict) -> dict[str, object]:
        return {
            "generation": self.generation,
            "tried_s": round(time.monotonic() - self._began, 3),
            "calls": int(verdict.calls.new),
            "calls_beside": int(verdict.calls.old),
            "confidence": 1 - ALPHA,
            "sees_failures_from": round(verdict.sees, 4) if verdict.sees <= 1 else None,
            "wants_failures_from": MUST_SEE,
        }

    # Reading.

    def _slice(self, state: State, now: float) -> Slice:
        seconds = now - self._last
        self._gather(state, seconds)
        found = Slice(self._new.side(seconds), self._old.side(seconds), warm=now >= self._warm)
        self._new, self._old = Sum(), Sum()
        self._last = now
        return found

    def _gather(self, state: State, seconds: float) -> None:
        for worker in state.workers.values():
            view = self._board.worker(worker.number) if worker.ready else None
            if view is not None:
                self._read(self._new if worker.generation == self.generation else self._old, view, seconds)
        if self._beside is None:
            return
        for view in self._beside.workers():
            if view.number != self._beside.capacity and view.state == layout.STATES[layout.SERVING]:
                self._read(self._old, view, seconds)
        exits = _crashes(self._beside)
        self._old.crashes += max(exits - self._exits, 0)
        self._exits = exits

    def _read(self, side: Sum, view: WorkerView, seconds: float) -> None:
        self._add(side, view)
        side.workers += 1
        side.stuck += view.silence(time.monotonic_ns()) > STILL
        if size := resident(view.pid):
            side.sizes[view.pid] = size
        for call in view.calls:
            if call.age > seconds > 0:  # it would have been over, or is longer than any comparison
                waits = Tally({}, {layout.bucket(int(call.age * 1e9)): 1})
                _put(side.methods, f"{call.service}.{call.method}", waits)

    def _add(self, side: Sum, view: WorkerView) -> None:
        """What a worker has counted since it was read before."""
        before, blocked = self._before.get(view.pid, ({}, 0))
        after = {f"{each.service}.{each.name}": (each.outcomes, each.histogram) for each in view.methods}
        for method, tally in _since(before, after):
            _put(side.methods, method, tally)
        side.blocked += max(view.counters["loop_blocked"] - blocked, 0)
        self._before[view.pid] = after, view.counters["loop_blocked"]


def _put(methods: dict[str, Tally], method: str, more: Tally) -> None:
    known = methods.get(method, Tally())
    outcomes = {name: known.outcomes.get(name, 0) + count for name, count in more.outcomes.items()}
    methods[method] = Tally({**known.outcomes, **outcomes}, together(known.histogram, more.histogram))


def _since(before: Read, after: Read) -> Iterator[tuple[str, Tally]]:
    """Any worker can write anything into its accounts: what has become less is nothing."""
    for method, (outcomes, histogram) in after.items():
        known, times = before.get(method, ({}, []))
        if outcomes == known:
            continue
        changed = {name: count - known.get(name, 0) for name, count in outcomes.items() if count > known.get(name, 0)}
        places: Histogram = _differences(times, histogram)
        yield method, Tally(changed, places)


def _differences(before: Sequence[int], after: Sequence[int]) -> Histogram:
    pairs = enumerate(zip(before or [0] * len(after), after, strict=False))
    return {place: now - then for place, (then, now) in pairs if now > then}


def _crashes(board: Board) -> int:
    return sum(board.reasons[why] for why in UNASKED)
