"""A board whose words somebody has made up: whoever reads it gets numbers that may be wrong, and never an error."""

from __future__ import annotations

import json
import os
import random
import socket
import time
from collections.abc import Callable

import pytest

from thriftserver.admin import metrics, views
from thriftserver.admin.history import History
from thriftserver.admin.reading import Reading
from thriftserver.log import Logger
from thriftserver.master import children
from thriftserver.master import views as master_views
from thriftserver.master.events import State, Worker
from thriftserver.scoreboard import layout
from thriftserver.scoreboard.board import Board
from thriftserver.scoreboard.slot import Slot
from thriftserver.sealed import sealed

NAMES = (
    b"[" * 60_000,
    b"null",
    b"[[1,2,3]]",
    b'[["S","m"]]',
    b'[["S","m","kinds"]]',
    b'{"a": ' * 5000,
    b'[["S","\xff\xfe",[]]]',
    b'[["S","\\ud800",[]]]',
    b"9" * 6000,
    json.dumps([["S", f"m{number}", []] for number in range(5000)]).encode(),
    json.dumps([["S", "m", [f"kind{number}" for number in range(3000)]]]).encode(),
    json.dumps([["S", "same", ["A", "A"]]] * 40).encode(),
    json.dumps([["S" * 30_000, "\x00\x1b[2J", ["\u202e"]]]).encode(),
)
#: Numbers that break what believes them.
ODD = (0, 1, 2, 31, 32, 255, 1 << 31, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)


def scribble(board: Board, luck: random.Random, number: int) -> None:
    """A slot as a worker may leave it that wants to break its readers."""
    words = board.slot_words(number)
    kind = luck.randrange(4)
    if kind == 0:
        words.cast("B")[:] = luck.randbytes(words.nbytes)
    elif kind == 1:
        words.cast("B")[:] = b"\xff" * words.nbytes
    for _ in range(200 if kind < 3 else 0):
        words[luck.randrange(len(words))] = luck.choice(ODD)
    for word in range(layout.PAGE):
        words[word] = luck.choice(ODD) if luck.random() < 0.5 else luck.getrandbits(64)
    names = luck.choice(NAMES)
    start = board.plan.names * layout.WORD
    room = words.cast("B")[start : start + board.plan.name_bytes]
    room[: len(names)] = names[: len(room)]
    words[layout.NAMES] = luck.choice((len(names), len(names), *ODD))
    words[layout.STATE] = luck.choice((*range(6), *ODD))


def read_all(board: Board) -> None:
    """Every view that anybody has of it."""
    state = State(2, 60.0, 30.0, workers={os.getpid(): Worker(os.getpid(), 1, 1, 0.0, ready=True)})
    for view in (master_views.status, master_views.workers, master_views.calls):
        json.dumps(view(state, board))
    reading, history = Reading.of(board), History()
    history.take(reading)
    history.take(Reading.of(board))
    for told in (
        views.workers(reading, history),
        views.calls(reading),
        views.methods(reading, history),
        views.errors(reading),
        views.history(history, ["S.m"]),
    ):
        json.dumps(told, allow_nan=False)
    metrics.exposition(reading, "")
    metrics.exposition(reading, "application/openmetrics-text")


@pytest.mark.parametrize("seed", range(12))
def test_whatever_stands_in_a_slot_is_read_folded_and_forgotten(seed: int) -> None:
    luck = random.Random(seed)
    board = Board.create(3, 16)
    for _ in range(4):
        for number in range(3):  # 0 is the ledger
            if luck.random() < 0.7:
                scribble(board, luck, number)
        read_all(board)
        board.fold(1)
        assert board.worker(1) is None
        read_all(board)


def test_the_header_that_all_may_write_keeps_nobody_reading_for_ever() -> None:
    board = Board.create(2, 8)
    for odd in ODD:
        for word in range(layout.PAGE):
            board.words[word] = odd
        began = time.monotonic()
        read_all(board)
        assert time.monotonic() - began < 10
        board.fold(1)
    assert board.exits == len(ODD), "who folds keeps count for itself"


def test_made_up_names_use_up_no_room() -> None:
    board = Board.create(2, 8)
    now = time.monotonic_ns()
    pen = Slot(board.slot_words(1), board.plan)

    def worker(methods: list[tuple[str, str, list[str]]]) -> None:
        Slot(board.slot_words(1), board.plan).open(1, 1, methods, now)
        pen.finish(0, layout.SUCCESS, -1, 1, 1, 1, 1)
        board.fold(1)

    worker([("S", "real", [])])
    for number in range(20):
        worker([("S", f"{number}" * 1000, [])])
        worker([("S", "real", [f"Kind{number}x{each}" for each in range(100)])])
    _, ledger = board.snapshot()
    assert ledger.counters["calls"] == 41
    assert sum(method.calls for method in ledger.methods) == 41
    assert ledger.methods[0].name == "real"


@pytest.mark.parametrize("resize", [lambda fd: os.ftruncate(fd, 0), lambda fd: os.ftruncate(fd, 1 << 40)])
def test_nobody_can_cut_or_grow_the_memory(resize: Callable[[int], None]) -> None:
    board = Board.create(2, 8)
    for descriptor in (board.descriptor, stacks := sealed("thriftserver-stacks", 100)):
        with pytest.raises(PermissionError):
            resize(descriptor)
    with pytest.raises(PermissionError):
        os.pwrite(stacks, b"x" * 101, 0)
    os.close(stacks)
    board.words[0] = board.words[0]


def test_a_worker_is_buried_whatever_it_has_left() -> None:
    board = Board.create(2, 8)
    scribble(board, random.Random(1), 1)
    read, write = os.pipe()
    os.close(write)
    errands, theirs = socket.socketpair()
    theirs.close()
    stacks = sealed("thriftserver-stacks", 100)
    os.pwrite(stacks, os.urandom(100), 0)
    child = children.Child(1, read, stacks, errands)
    children.bury(child, 1, "hung", board, Logger())
    child.close()
    assert board.worker(1) is None
