"""Reads what the worker on trial and those beside it have done, slice by slice, and has ``judgement`` judge it.

It looks at the scoreboard and at /proc and asks nobody; what follows from a verdict is ``policy``'s to decide.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

from msgspec import Struct

from thriftserver.log import Logger
from thriftserver.master.events import Judged, News, State, Try, Worker
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
from thriftserver.master.walls import sentence
from thriftserver.scoreboard import layout
from thriftserver.scoreboard.board import Board
from thriftserver.scoreboard.records import WorkerView

#: A trial has so many slices, but none is shorter or longer than so many seconds.
SLICES, SHORTEST, LONGEST = 60, 0.05, 2.0
#: The part of a trial, and the seconds at most, for which the new worker warms up.
COLD, COLDEST = 0.2, 30.0
#: Seconds without a heartbeat, of which there are two in each, after which a loop stands still.
STILL = 1.5
#: Ends of a worker, of ``layout.EXITS``, that nobody has asked for.
CRASHES = ("hung", "boot_timeout", "boot_failed", "killed", "crashed", "exited")

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


class Canary:
    """``due`` is when to look again. ``beside`` is the board of an older master: its workers are the old side then."""

    def __init__(self, board: Board, beside: Board | None, log: Logger) -> None:
        self._board, self._beside, self._log = board, beside, log
        self.due = float("inf")
        self._generation = 0
        """The one on trial; 0: none is."""
        self._crashed = 0
        """Workers that have ended unasked, of generations that were in force."""

    def announce(self, news: News, _text: str) -> None:
        """As an observer."""
        if news is News.ROLLED_BACK:
            self._board.count_rollback()

    def tick(self, state: State, now: float) -> None:
        """Nothing to do: it looks more often, or not at all."""

    def follow(self, state: State) -> None:
        """After each decision: is a trial under way? It may have ended without a verdict."""
        self._board.trial_due = state.trial_due
        if not state.on_trial:
            self._generation, self.due = 0, float("inf")

    def begin(self, what: Try, idle: str, state: State) -> None:
        """The worker of this generation is ready, and so are others."""
        now = time.monotonic()
        self._generation, self._idle, self._held = what.generation, idle, False
        self._began, self._end = now, now + what.seconds
        self._warm = now + min(COLD * what.seconds, COLDEST)
        self._period = min(max(what.seconds / SLICES, SHORTEST), LONGEST)
        self._before: dict[int, tuple[Read, int]] = {}
        self._new, self._old = Sum(), Sum()
        board = self._beside or self._board
        crashed = sum(board.reasons[why] for why in CRASHES) if self._beside else self._crashed
        lived = (now - board.born / 1e9) * max(board.wanted, 1)
        self._evidence = Evidence((crashed, lived))
        self._exits = crashed
        self._gather(state, now, 0.0)  # what they had done before
        self._new, self._old = Sum(), Sum()
        self._last, self.due = now, now + self._period

    def look(self, state: State, now: float) -> Iterator[Judged]:
        """A verdict, once there is one."""
        if now < self.due or not self._generation:
            return
        self.due = now + self._period
        try:
            verdict = self._verdict(state, now)
        except Exception as error:  # noqa: BLE001 - a trial that cannot be judged must not last for ever
            yield Judged(False, {"generation": self._generation}, f"it cannot be judged: {sentence(error)}")
            return
        if verdict is not None:
            yield self._judged(verdict)

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
        if not self._generation:
            return None
        crashes = Slice(Side(crashes=self._new.crashes), Side(crashes=self._old.crashes), warm=False)
        self._new.crashes = self._old.crashes = 0
        self._evidence = weigh(self._evidence, crashes)
        verdict = judge(self._evidence, final=False)
        return self._judged(verdict) if verdict.worse else None

    def died(self, worker: Worker | None, why: str, state: State) -> None:
        """A worker is gone: take what it has counted before it is folded."""
        if worker is None:
            return
        of_new = worker.generation == self._generation
        if why in CRASHES and not of_new and worker.generation == state.generation:
            self._crashed += 1
        if self._generation:
            side = self._new if of_new else self._old
            side.crashes += why in CRASHES
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
            "generation": self._generation,
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
        self._gather(state, now, seconds)
        found = Slice(self._new.side(seconds), self._old.side(seconds), warm=now >= self._warm)
        self._new, self._old = Sum(), Sum()
        self._last = now
        return found

    def _gather(self, state: State, now: float, seconds: float) -> None:
        for worker in state.workers.values():
            view = self._board.worker(worker.number) if worker.ready else None
            if view is not None:
                self._read(self._new if worker.generation == self._generation else self._old, view, seconds)
        if self._beside is None:
            return
        for view in self._beside.workers():
            if view.number != self._beside.capacity and view.state == layout.STATES[layout.SERVING]:
                self._read(self._old, view, seconds)
        exits = sum(self._beside.reasons[why] for why in CRASHES)
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


def _differences(before: list[int], after: list[int]) -> Histogram:
    earlier: Mapping[int, int] = dict(enumerate(before))
    return {place: count - earlier.get(place, 0) for place, count in enumerate(after) if count > earlier.get(place, 0)}
