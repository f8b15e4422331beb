"""Which workers are hung or too large: read from the scoreboard and /proc, without asking them.

It finds; ``policy`` decides.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from thriftserver.config import Settings
from thriftserver.master.events import Hung, Spent, Worker
from thriftserver.scoreboard import layout
from thriftserver.scoreboard.board import Board

_PAGE = os.sysconf("SC_PAGE_SIZE")


class Health:
    """``due`` is when to look again."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._last = 0.0
        self.due = 0.0

    def check(self, workers: list[Worker], settings: Settings, now: float) -> Iterator[Hung | Spent]:
        """What is wrong with workers that serve."""
        if now < self.due:
            return
        period = min(1.0, settings.timeout / 4 or 1.0)
        # When the master itself was stopped, its workers may have been too: let them go round first.
        slept = bool(self._last) and now - self._last > 2 * period
        self._last, self.due = now, now + period
        if slept:
            return
        for worker in workers:
            if not worker.ready or not worker.stays:
                continue
            age = now - self._board.slot_words(worker.number)[layout.HEARTBEAT] / 1e9
            if settings.timeout and age > settings.timeout:
                yield Hung(worker.pid)
            elif settings.max_rss and not worker.spent and (size := resident(worker.pid)) > settings.max_rss:
                yield Spent(worker.pid, f"max_rss: it has {size >> 20} MiB")


def resident(pid: int) -> int:
    """Bytes of memory that a process holds; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/statm") as file:
            return int(file.read().split()[1]) * _PAGE
    except OSError:
        return 0
