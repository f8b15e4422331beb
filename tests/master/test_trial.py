"""What a trial reads from a scoreboard: the difference that a slice makes, of whoever it is, and nothing that harms."""

from __future__ import annotations

import os
import random
import time

import pytest

from thriftserver.log import Logger
from thriftserver.master.events import Judged, State, Try, Worker
from thriftserver.master.trial import Trial
from thriftserver.scoreboard import layout
from thriftserver.scoreboard.board import Board
from thriftserver.scoreboard.slot import Slot

OLD, NEW = (1, 2), 3
METHODS = [("Shop", "price", ["Missing"]), ("Shop", "name", [])]


#: No process has such an id: a trial looks at the memory of those that there are.
PIDS = 1 << 22


class Service:
    """Three slots that a test writes: those of two old workers and of a new one."""

    def __init__(self, board: Board | None = None, seconds: float = 60.0) -> None:
        self.board = board or Board.create(8, 8)
        self.slots = {number: Slot(self.board.slot_words(number), self.board.plan) for number in (*OLD, NEW)}
        for number, slot in self.slots.items():
            slot.open(PIDS + number, 2 if number == NEW else 1, METHODS, time.monotonic_ns())
            slot.put(layout.STATE, layout.SERVING)
        workers = {number: Worker(number, number, 2 if number == NEW else 1, 0.0, ready=True) for number in self.slots}
        self.state = State(2, 60, 30, candidate=2, on_trial=True, workers=workers)
        self.calls(1000, layout.UNDECLARED, *OLD)  # of long ago
        self.trial = Trial(self.board, None, Try(2, seconds), "adopt", 0, self.state, Logger())
        self.now = time.monotonic()

    def calls(self, count: int, outcome: int, *numbers: int) -> None:
        for number in numbers:
            for _ in range(count):
                self.slots[number].finish(0, outcome, -1, 2_000_000, 0, 10, 10)
            self.slots[number].put(layout.HEARTBEAT, time.monotonic_ns())

    def look(self) -> Judged | None:
        self.now += 1.0
        return self.trial.look(self.state, self.now)


def test_only_what_has_been_done_since_is_compared() -> None:
    it = Service()
    for _ in range(3):
        assert it.look() is None
        it.calls(20, layout.UNDECLARED, NEW)
        it.calls(20, layout.SUCCESS, *OLD)
    verdict = it.look()
    assert verdict is not None
    assert not verdict.good
    assert verdict.reason == "Shop.price: 60 of 60 calls ended undeclared, 0 of 120 in the old generation"
    assert (verdict.facts["calls"], verdict.facts["calls_beside"]) == (60, 120)


def test_what_a_worker_had_done_when_it_died_counts() -> None:
    it = Service()
    it.calls(30, layout.SUCCESS, *OLD)
    it.trial.died(it.state.workers[1], False)
    it.board.fold(1, "retired")
    del it.state.workers[1]
    for _ in range(61):
        it.calls(1, layout.SUCCESS, 2, NEW)
        verdict = it.look()
    assert verdict is not None
    assert verdict.good
    assert (verdict.facts["calls"], verdict.facts["calls_beside"]) == (61, 30 + 30 + 61)


def test_a_crash_is_judged_at_once() -> None:
    it = Service()
    it.look()
    it.trial.died(it.state.workers[NEW], True)
    verdict = it.trial.judge()
    assert verdict is not None
    assert [each["what"] for each in verdict.facts["evidence"]] == ["crash"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("seed", range(5))
def test_accounts_that_somebody_scribbles_over_end_in_a_verdict(seed: int) -> None:
    """Any word of any slot may be anything: no look fails, none lasts, and the trial ends."""
    it, chance = Service(seconds=20.0), random.Random(seed)
    verdict = None
    for _ in range(25):
        for number in it.slots:
            words = it.board.slot_words(number)
            for _ in range(200):
                at = chance.randrange(it.board.plan.slot_words)
                words[at] = chance.choice((0, 1, chance.getrandbits(20), chance.getrandbits(64), (1 << 64) - 1))
            first = it.board.plan.first_method
            words[first + chance.randrange(16)] = chance.getrandbits(64)
            words[first + layout.HISTOGRAM + chance.randrange(layout.BUCKETS)] = chance.getrandbits(64)
            words[layout.STATE] = layout.SERVING
        verdict = it.look()
        if verdict is not None:
            break
    assert verdict is not None


def test_a_guest_on_the_board_of_another_master_is_none_of_its_workers() -> None:
    older = Service()
    guest = older.board.slot_words(older.board.capacity)
    guest[layout.PID], guest[layout.STATE] = os.getpid(), layout.SERVING
    board = Board.create(8, 8)
    slot = Slot(board.slot_words(1), board.plan)
    slot.open(os.getpid(), 1, METHODS, time.monotonic_ns())
    slot.put(layout.STATE, layout.SERVING)
    state = State(1, 60, 30, heir=True, on_trial=True, workers={7: Worker(7, 1, 1, 0.0, ready=True)})
    trial = Trial(board, older.board, Try(1, 5.0), "adopt", 0, state, Logger())
    now, verdict = time.monotonic(), None
    for second in range(1, 7):
        older.calls(40, layout.SUCCESS, *OLD)
        for _ in range(40):
            slot.finish(0, layout.SUCCESS, -1, 2_000_000, 0, 10, 10)
        slot.put(layout.HEARTBEAT, time.monotonic_ns())
        verdict = verdict or trial.look(state, now + second)
    assert verdict is not None
    assert verdict.good
    assert (verdict.facts["calls"], verdict.facts["calls_beside"]) == (200, 400)
