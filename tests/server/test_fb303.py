"""What workers say through fb303: the scoreboard's numbers of all of them, and of the dead."""

from __future__ import annotations

import time

import pytest

from thriftserver.log import Logger
from thriftserver.rpc.fb303 import Status
from thriftserver.scoreboard import layout
from thriftserver.scoreboard.board import Board
from thriftserver.scoreboard.slot import Slot
from thriftserver.worker.fb303 import provider


@pytest.fixture
def board() -> Board:
    """Worker 1 serves, worker 2 drains, worker 3 is dead; each has made calls."""
    made = Board.create(4, 4)
    for number, state in ((1, layout.SERVING), (2, layout.DRAINING), (3, layout.GONE)):
        pen = Slot(made.slot_words(number), made.plan)
        pen.open(number, 1, [("Calc", "add", [])], 0)
        for _ in range(number):
            pen.finish(0, layout.SUCCESS, -1, 10, 0, 1, 1)
        pen.finish(0, layout.TIMEOUT, -1, 10, 0, 1, 1)
        pen.put(layout.CONNECTIONS, 10)
        pen.put(layout.STATE, state)
    made.fold(3)
    return made


def test_counters_are_those_of_all_workers_and_of_the_dead(board: Board) -> None:
    told = provider(board, 1, Logger()).counters()
    assert told["Calc.add.success"] == 1 + 2 + 3
    assert told["Calc.add.timeout"] == 3
    assert "Calc.add.undeclared" not in told
    assert (told["connections"], told["inflight"]) == (20, 0)


@pytest.mark.parametrize(("number", "status"), [(1, Status.ALIVE), (2, Status.STOPPING)])
def test_the_status_is_that_of_the_worker_that_answers(board: Board, number: int, status: Status) -> None:
    assert provider(board, number, Logger()).status() == status


def test_alive_since_the_board_began(board: Board) -> None:
    assert 0 <= time.time() - provider(board, 1, Logger()).alive_since < 3600
