"""The scoreboard at one moment, added up: the living workers and the ledger of the dead.

It reads and adds; what is worth showing of it is decided by the modules that use it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cached_property

from thriftserver.scoreboard import layout
from thriftserver.scoreboard.board import ATTEMPTS, Board, totals
from thriftserver.scoreboard.records import MethodStats, TlsView, WorkerView, spoken

#: Outcomes that somebody should look at. Declared exceptions are answers, and a client that left is nobody's fault.
FAILURES = tuple(name for name in layout.OUTCOMES if name not in ("success", "declared", "gone"))


@dataclass(frozen=True)
class Reading:
    """``now`` and ``born`` (of the server) are monotonic nanoseconds; ``wall`` makes them nanoseconds since 1970."""

    now: int
    born: int
    wall: int
    workers: list[WorkerView]
    past: WorkerView
    exits: int
    """Workers that have ended and are in ``past``."""
    wanted: int
    """Workers that should serve; 0 while the service rests."""
    reasons: dict[str, int]
    """How many of ``exits`` there were for each reason."""
    connections_lost: int
    master_lines_lost: int
    """Lines that the master's log could not take."""
    tls: TlsView
    trial_due: float
    """When the trial of a new generation is over, in monotonic seconds; 0: none is under way."""
    rollbacks: int
    registry: dict[str, int]
    """Registries: how many there should be and are that have this server; how often it was entered, and lost."""

    @classmethod
    def of(cls, board: Board) -> Reading:
        for _ in range(ATTEMPTS):  # and not for ever: any worker can write there
            exits = board.exits
            reasons = board.reasons
            workers, past = board.snapshot()
            if board.exits == exits:
                break
        return cls(
            time.monotonic_ns(),
            board.born,
            board.wall,
            workers,
            past,
            exits,
            board.wanted,
            reasons,
            board.words[layout.BOARD_LOST_CONNECTIONS],
            board.words[layout.BOARD_LOST_LINES],
            board.tls,
            board.trial_due,
            board.rollbacks,
            board.registry,
        )

    @cached_property
    def methods(self) -> dict[tuple[str, str], MethodStats]:
        """Every method ever counted, by (service, name), in the order of the IDL."""
        return totals([*self.workers, self.past])

    @cached_property
    def generation(self) -> int:
        """The newest generation of workers; 0 when there are none."""
        return max((worker.generation for worker in self.workers), default=0)

    def counter(self, name: str) -> int:
        """A counter that belongs to no method, over all workers there ever were."""
        return self.past.counters[name] + sum(worker.counters[name] for worker in self.workers)

    @cached_property
    def oddities(self) -> dict[str, int]:
        """How often each thing has happened that is strange or unwelcome, and is no call's outcome."""
        return {name: self.counter(name) for name in layout.ODDITIES}

    @cached_property
    def dialects(self) -> dict[str, dict[str, int]]:
        """Connections and calls of each dialect."""
        return spoken(self.workers, self.past)

    @property
    def log_lines_lost(self) -> int:
        return self.master_lines_lost + self.counter("log_lines_lost")

    @cached_property
    def calls_lost(self) -> int:
        """Calls that died with their worker."""
        return sum(stats.outcomes.get(layout.OUTCOMES[layout.LOST], 0) for stats in self.methods.values())

    def silence(self, worker: WorkerView) -> float:
        """Seconds since a worker's last heartbeat."""
        return worker.silence(self.now)

    def stuck(self, worker: WorkerView) -> bool:
        return worker.stuck(self.now)


def failed(stats: MethodStats) -> int:
    """How many calls of a method ended as they should not."""
    return sum(stats.outcomes.get(name, 0) for name in FAILURES)
