"""What a server tells of itself through fb303: from the scoreboard, so every worker tells the same of all of them."""

from __future__ import annotations

import thriftserver
from thriftserver.log import Logger
from thriftserver.rpc.fb303 import Provider, Status
from thriftserver.scoreboard import layout
from thriftserver.scoreboard.board import Board, totals


def provider(board: Board, number: int, log: Logger) -> Provider:
    """The provider of worker ``number``.

    What a peer may ask for and only an operator may do, to reinitialize or to shut down, is logged and not done.
    """
    words = board.slot_words(number)

    def status() -> int:
        return Status.STOPPING if words[layout.STATE] == layout.DRAINING else Status.ALIVE

    return Provider(
        version=thriftserver.__version__,
        alive_since=(board.born + board.wall) // 1_000_000_000,
        status=status,
        counters=lambda: _counters(board),
        reinitialize=lambda: log.warning("fb303_ignored", asked="reinitialize", advice="send HUP to the master"),
        shutdown=lambda: log.warning("fb303_ignored", asked="shutdown", advice="send TERM to the master"),
    )


def _counters(board: Board) -> dict[str, int]:
    """``Service.method.outcome`` of calls since the server started, and how many connections and calls there are."""
    workers, past = board.snapshot()
    counted = {
        f"{service}.{method}.{outcome}": count
        for (service, method), stats in totals([past, *workers]).items()
        for outcome, count in stats.outcomes.items()
        if count
    }
    gauges = ("connections", "inflight")
    return counted | {name: sum(getattr(worker, name) for worker in workers) for name in gauges}
