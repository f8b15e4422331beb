"""The scoreboard: what one process writes another reads, the dead are kept, pure and compiled write the same words."""

from __future__ import annotations

import os
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thriftserver.scoreboard import _slot, layout, slot  # type: ignore[attr-defined]
from thriftserver.scoreboard.board import OTHER, Board, percentile, totals

METHODS = [("Calc", "add", ["Oops", "Late"]), ("Calc", "ping", [])]
PEER = b"127.0.0.1:4711".ljust(64, b"\0")


@pytest.fixture
def board() -> Board:
    made = Board.create(4, 8)
    return made


@pytest.fixture(params=[slot.Slot, _slot.Slot], ids=["pure", "native"])
def pen(request: pytest.FixtureRequest, board: Board) -> slot.Slot:
    made: slot.Slot = request.param(board.slot_words(2), board.plan)
    made.open(os.getpid(), 7, METHODS, time.monotonic_ns())
    return made


@given(st.integers(0, 1 << 40))
def test_a_bucket_holds_what_falls_into_it(nanoseconds: int) -> None:
    place = layout.bucket(nanoseconds)
    assert layout.edge(place) <= nanoseconds
    assert nanoseconds < layout.edge(place + 1) or place == layout.BUCKETS - 1
    low, high = layout.edge(place), layout.edge(place + 1)
    assert low < 2048 or (high - low) / 2 / low < 0.05, "the middle of a bucket is within 5 % of all in it"


def test_another_process_reads_what_a_worker_wrote(board: Board, pen: slot.Slot) -> None:
    now = time.monotonic_ns()
    pen.begin(0, -5, 33, now - 2_000_000, now, PEER)
    pen.put(layout.CONNECTIONS, 3)
    pen.add(layout.COUNTER["accepted"], 4)
    pen.finish(0, layout.SUCCESS, -1, 1_000_000, 5_000, 10, 20)
    pen.finish(0, layout.DECLARED, 1, 2_000_000, 6_000, 10, 30)
    read, write = os.pipe()
    if os.fork() == 0:
        try:
            (view,), _ = Board.attach(board.descriptor).snapshot()
            os.write(write, repr((view.calls[0], view.methods[0].outcomes, view.methods[0].declared)).encode())
        finally:
            os._exit(0)
    os.close(write)
    text = os.read(read, 10_000).decode()
    os.close(read)
    os.wait()
    assert "method='add', seqid=-5, peer='127.0.0.1:4711', bytes=33" in text
    (view,), past = board.snapshot()
    assert (view.number, view.pid, view.generation, view.state) == (2, os.getpid(), 7, "booting")
    assert (view.connections, view.inflight, view.counters["accepted"], view.counters["calls"]) == (3, 1, 4, 2)
    stats = view.methods[0]
    assert (stats.calls, stats.duration, stats.queued, stats.request_bytes, stats.reply_bytes) == (
        2,
        3_000_000,
        11_000,
        20,
        50,
    )
    assert stats.declared == {"Oops": 0, "Late": 1}
    assert stats.histogram[layout.bucket(1_000_000)] == stats.histogram[layout.bucket(2_000_000)] == 1
    assert past.methods == []


def test_the_dead_are_kept_and_their_slot_is_free(board: Board, pen: slot.Slot) -> None:
    for duration in range(1000, 100_000, 1000):
        pen.finish(1, layout.SUCCESS, -1, duration, duration // 2, 1, 2)
    pen.begin(1, 1, 1, 1, 1, PEER)
    before = totals(board.snapshot()[0])
    board.fold(2)
    workers, past = board.snapshot()
    assert workers == []
    assert totals([past]) == before
    again = type(pen)(board.slot_words(2), board.plan)
    again.open(1, 8, [("Other", "new", ["Oops"]), *METHODS[1:]], 0)
    again.finish(0, layout.DECLARED, 0, 5, 5, 5, 5)
    again.finish(1, layout.SUCCESS, -1, 5, 5, 5, 5)
    assert board.snapshot()[0][0].calls == []
    board.fold(2)
    both = totals([board.snapshot()[1]])
    assert both["Calc", "ping"].calls == before["Calc", "ping"].calls + 1
    assert both["Other", "new"].declared == {"Oops": 1}


def test_more_calls_methods_and_exceptions_than_there_is_room_for(board: Board, pen: slot.Slot) -> None:
    records = [pen.begin(0, n, 1, 1, 1, PEER) for n in range(board.plan.calls + 2)]
    assert records[-2:] == [-1, -1]
    assert len(set(records)) == board.plan.calls + 1
    for record in records:
        pen.end(record)
    assert pen.begin(0, 1, 1, 1, 1, PEER) >= 0
    many = [("S", f"m{n}", [f"E{k}" for k in range(20)]) for n in range(20)]
    pen.open(1, 1, many, 0)
    pen.finish(19, layout.DECLARED, 19, 1, 1, 1, 1)
    pen.finish(7, layout.DECLARED, 19, 1, 1, 1, 1)
    view = board.snapshot()[0][0]
    assert len(view.methods) == 8
    assert (view.methods[7].name, view.methods[7].calls) == (OTHER, 2)
    pen.finish(6, layout.DECLARED, 19, 1, 1, 1, 1)
    assert board.snapshot()[0][0].methods[6].declared[OTHER] == 1


def test_the_newest_errors_are_kept_also_of_the_dead(board: Board, pen: slot.Slot) -> None:
    assert board.snapshot()[0][0].errors == []
    for n in range(layout.RING + 3):
        pen.note_error(n % 2, layout.UNDECLARED, f"{n:012x}", f"ZeroDivisionError: {n}", 1000 + n)
    errors = board.snapshot()[0][0].errors
    assert [error.when for error in errors] == list(range(1003, 1003 + layout.RING))
    assert (errors[-1].service, errors[-1].method, errors[-1].outcome) == ("Calc", "add", "undeclared")
    assert (errors[-1].error_id, errors[-1].text) == (
        f"{layout.RING + 2:012x}",
        f"ZeroDivisionError: {layout.RING + 2}",
    )
    board.fold(2)
    assert board.snapshot()[1].errors == errors
    pen.open(1, 1, METHODS, 0)
    assert board.snapshot()[0][0].errors == []
    pen.note_error(9, layout.TIMEOUT, "x" * 50, "ä" * 500, 5)
    (error,) = board.snapshot()[0][0].errors
    assert (error.method, error.error_id, len(error.text)) == ("", "x" * 16, 108)


def test_pure_and_compiled_write_the_same_words(board: Board) -> None:
    rng = random.Random(5)
    pens = [made(board.slot_words(number), board.plan) for number, made in ((1, slot.Slot), (3, _slot.Slot))]
    for pen in pens:
        pen.open(1, 2, METHODS, 3)
    for _ in range(2000):
        numbers = [rng.randrange(2), rng.randrange(9), rng.randrange(3), rng.getrandbits(rng.randrange(45))]
        numbers += [rng.getrandbits(30) for _ in range(3)]
        call = (rng.randrange(2), rng.randrange(-(1 << 31), 1 << 31), 1, 2, 3, PEER)
        ended = rng.random() < 0.7
        for pen in pens:
            pen.finish(*numbers)
            record = pen.begin(*call)
            if ended:
                pen.end(record)
    assert board.slot_words(1).tolist() == board.slot_words(3).tolist()


@given(st.lists(st.integers(1_000, 10**10), min_size=1, max_size=300), st.floats(0.01, 1.0))
def test_percentiles_are_close_whatever_the_durations(durations: list[int], fraction: float) -> None:
    histogram = [0] * layout.BUCKETS
    for duration in durations:
        histogram[layout.bucket(duration)] += 1
    exact = sorted(durations)[max(-(-int(fraction * len(durations) * 1e9) // 10**9) - 1, 0)]
    assert abs(percentile(histogram, fraction) - exact / 1e9) <= 0.0325 * exact / 1e9 + 64e-9


def test_an_unknown_descriptor_is_refused() -> None:
    with open("/dev/null") as nothing, pytest.raises(ValueError, match="no scoreboard"):
        Board.attach(nothing.fileno())
