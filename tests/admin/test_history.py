"""Rates and percentiles of the last seconds, from readings at times that the test chooses."""

from __future__ import annotations

import dataclasses
import json
import os

from tests.admin.conftest import ADD, DIVIDE, MS, Script
from thriftserver.admin import views
from thriftserver.admin.history import ALL, KEPT, STEP, WINDOW, History
from thriftserver.admin.reading import Reading
from thriftserver.scoreboard import layout

KEY = ("Calculator", "add")


class Clock:
    """Takes readings ``STEP`` seconds apart, whatever time it is."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.history = History()
        self.now = 10**12

    def tick(self) -> Reading:
        self.now += int(STEP * 1e9)
        reading = dataclasses.replace(Reading.of(self.script.board), now=self.now)
        for worker in reading.workers:
            worker.heartbeat = self.now
        self.history.take(reading)
        return reading


def test_now_is_the_last_ten_seconds(script: Script) -> None:
    clock = Clock(script)
    for _ in range(50):
        script.pens[1].finish(ADD, layout.SUCCESS, -1, 900 * MS, 0, 1, 1)
    clock.tick()
    assert clock.history.now == {}, "one sample makes no rate"
    for step in range(WINDOW + 3):
        for _ in range(10):
            script.pens[1].finish(ADD, layout.SUCCESS if step else layout.TIMEOUT, -1, 10 * MS, 0, 1, 1)
        clock.tick()
        now = clock.history.now[KEY]
        assert now.rate == 10 / STEP
        assert abs(now.p99 / 0.010 - 1) < 0.05, "what came before the window does not count"
    assert now.failures == 0
    assert clock.history.now[ALL] == now
    for _ in range(WINDOW):
        reading = clock.tick()
    assert clock.history.now[KEY].rate == 0
    shown = {each["method"]: each for each in views.methods(reading, clock.history)["methods"]}
    assert (shown["add"]["rate"], shown["add"]["p99"], shown["add"]["calls"]) == (0, None, 50 + 10 * (WINDOW + 3))


def test_series_keep_ten_minutes_and_no_more(script: Script) -> None:
    clock = Clock(script)
    clock.tick()
    for step in range(KEPT + 20):
        for _ in range(step % 7):
            script.pens[2].finish(DIVIDE, layout.UNDECLARED, -1, 2 * MS, 0, 1, 1)
        clock.tick()
    data = json.loads(json.dumps(views.history(clock.history, ["Calculator.divide", "No.such"]), allow_nan=False))
    series = data["series"]["Calculator.divide"]
    assert len(series["rate"]) == KEPT
    expected = [step % 7 / STEP for step in range(20, KEPT + 20)]
    assert series["rate"] == series["failures"] == expected
    assert all((value is None) == (rate == 0) for value, rate in zip(series["p50"], expected, strict=True))
    assert data["series"][""] == series
    assert set(data["series"]["No.such"]["rate"]) == {None}
    assert len(clock.history.series(KEY, 60)["rate"]) == 60


def test_events_tell_what_became_of_workers(script: Script) -> None:
    clock = Clock(script)
    clock.tick()
    clock.tick()
    assert not clock.history.events, "those that are there from the beginning are no news"
    script.pens[1].put(layout.STATE, layout.DRAINING)
    clock.tick()
    script.board.fold(1)
    script.pens[3] = script.pen(3, 4)
    clock.tick()
    found = [(event["worker"], event["what"], event["generation"]) for event in clock.history.events]
    assert found == [(1, "draining", 1), (3, "started", 4), (1, "ended", 1)]


def test_it_is_left_to_the_next_process_once(script: Script) -> None:
    clock = Clock(script)
    for _ in range(3):
        script.pens[1].finish(ADD, layout.SUCCESS, -1, MS, 0, 1, 1)
        clock.tick()
    script.board.fold(2)
    clock.tick()
    memory = os.memfd_create("history")
    assert History.recall(memory).series(ALL)["rate"] == []
    clock.history.leave(memory)
    before, clock.history = clock.history, History.recall(memory)
    assert clock.history.series(KEY) == before.series(KEY)
    assert [event["what"] for event in clock.history.events] == ["ended"]
    script.pens[1].finish(ADD, layout.SUCCESS, -1, MS, 0, 1, 1)
    clock.tick()
    assert clock.history.series(KEY)["rate"] == [*before.series(KEY)["rate"], 1 / STEP]
    assert len(clock.history.events) == 1, "worker 1 is no news"
    assert History.recall(memory).series(ALL)["rate"] == [], "once"
    os.pwrite(memory, b"half of a pickle", 0)
    assert History.recall(memory).series(ALL)["rate"] == []
    os.close(memory)
