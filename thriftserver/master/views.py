"""What the master can say about the service: its own state and the scoreboard, as values for JSON.

It reads; it changes nothing and sends nothing.
"""

from __future__ import annotations

import os
import time
from typing import Any

import thriftserver
from thriftserver.master.events import State, Worker
from thriftserver.master.health import resident
from thriftserver.scoreboard.board import Board
from thriftserver.scoreboard.records import spoken

_BORN = time.monotonic()


def status(state: State, board: Board) -> dict[str, Any]:
    """The service in a few numbers. ``calls`` and ``clock`` of two answers give calls per second."""
    views, ledger = board.snapshot()
    ready = sum(worker.ready and worker.stays for worker in state.workers.values())
    return {
        "version": thriftserver.__version__,
        "pid": os.getpid(),
        "phase": state.phase.value,
        "generation": state.generation,
        "uptime_s": round(time.monotonic() - _BORN, 3),
        "workers": ready,
        "target": state.wanted,
        "inflight": sum(view.inflight for view in views),
        "connections": sum(view.connections for view in views),
        "calls": ledger.counters["calls"] + sum(view.counters["calls"] for view in views),
        "dialects": spoken(views, ledger),
        **_tls(board),
        "clock": time.monotonic(),
        "crashes": state.crashes,
        "crash_loop": state.looping,
        "upgrading": state.upgrading,
    }


def _tls(board: Board) -> dict[str, Any]:
    found = board.tls.summary(time.time())
    return {"tls": found} if found else {}


def workers(state: State, board: Board) -> list[dict[str, Any]]:
    """Every worker, also those that boot or leave."""
    now = time.monotonic()
    rows = []
    for worker in sorted(state.workers.values(), key=lambda each: each.number):
        view = board.worker(worker.number)
        rows.append(
            {
                "worker": worker.number,
                "pid": worker.pid,
                "generation": worker.generation,
                "state": "stuck" if view and worker.ready and view.stuck(time.monotonic_ns()) else _state(worker),
                "age_s": round(now - worker.born, 3),
                "heartbeat_s": round(max(now - view.heartbeat / 1e9, 0), 3) if view else None,
                "connections": view.connections if view else 0,
                "inflight": view.inflight if view else 0,
                "queued": view.queued if view else 0,
                "calls": view.counters["calls"] if view else 0,
                "rss": resident(worker.pid),
            }
        )
    return rows


def _state(worker: Worker) -> str:
    if worker.hung or worker.retiring:
        return "hung" if worker.hung else "retiring"
    return "booting" if not worker.ready else "spent" if worker.spent else "serving"


def calls(state: State, board: Board) -> list[dict[str, Any]]:
    """Every call in flight, the oldest first."""
    rows: list[dict[str, Any]] = [
        {
            "worker": worker.number,
            "pid": worker.pid,
            "service": call.service,
            "method": call.method,
            "seqid": call.seqid,
            "peer": call.peer,
            "bytes": call.bytes,
            "age_s": round(call.age, 3),
        }
        for worker in state.workers.values()
        for call in board.calls(worker.number)
    ]
    return sorted(rows, key=lambda row: -row["age_s"])
