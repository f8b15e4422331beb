"""What the JSON addresses answer: one function each, from a reading (and the history) to plain data.

Times are seconds since 1970, ages and durations seconds.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from msgspec.structs import asdict

import thriftserver
from thriftserver.admin.health import judge
from thriftserver.admin.history import ALL, KEPT, NOTHING, STEP, WINDOW, History, Key, Now
from thriftserver.admin.reading import Reading, failed
from thriftserver.scoreboard.board import percentile
from thriftserver.scoreboard.layout import ODDITIES
from thriftserver.scoreboard.records import MethodStats, WorkerView

#: Calls in flight that are listed one by one; there may be thousands.
LISTED = 500
ERRORS = 200


def workers(reading: Reading, history: History) -> dict[str, Any]:
    health = judge(reading)
    return {
        "time": _wall(reading, reading.now),
        "version": thriftserver.__version__,
        "ready": health.ready,
        "reasons": health.reasons,
        "wanted": reading.wanted,
        "serving": health.serving,
        "generation": reading.generation,
        "uptime": (reading.now - reading.born) / 1e9,
        "starts": reading.exits + len(reading.workers),
        "exits": reading.exits,
        "exit_reasons": {reason: count for reason, count in reading.reasons.items() if count},
        "troubles": list(_troubles(reading)),
        "workers": [_worker(reading, worker) for worker in reading.workers],
        "dialects": reading.dialects,
        "tls": reading.tls.summary(_wall(reading, reading.now)),
        "events": list(history.events),
    }


def _troubles(reading: Reading) -> Iterator[dict[str, Any]]:
    """What was lost and what is strange since the server started, in words for people; only what has happened."""
    lost = [
        ("calls_lost", reading.calls_lost, "calls that died with their worker; the log has each as call_lost"),
        ("connections_lost", reading.connections_lost, "connections that died with their worker"),
        ("log_lines_lost", reading.log_lines_lost, "lines that the log could not take"),
    ]
    for kind, count, text in [*lost, *((kind, count, ODDITIES[kind]) for kind, count in reading.oddities.items())]:
        if count:
            yield {"kind": kind, "count": count, "text": text}


def _worker(reading: Reading, worker: WorkerView) -> dict[str, Any]:
    return {
        "number": worker.number,
        "pid": worker.pid,
        "generation": worker.generation,
        "state": "stuck" if reading.stuck(worker) else worker.state,
        "age": max(reading.now - worker.born, 0) / 1e9,
        "heartbeat_age": reading.silence(worker),
        "connections": worker.connections,
        "connections_limit": worker.room or None,
        "full": worker.full,
        "in_flight": worker.inflight,
        "queued": worker.queued,
        "threads": worker.threads,
        "calls": worker.counters["calls"],
        "loop_blocked": worker.counters["loop_blocked"],
        "oldest_call": worker.calls[0].age if worker.calls else None,
        "oldest_method": f"{worker.calls[0].service}.{worker.calls[0].method}" if worker.calls else None,
    }


def calls(reading: Reading) -> dict[str, Any]:
    """Calls in flight, the oldest first."""
    found = [(worker, call) for worker in reading.workers for call in worker.calls]
    found.sort(key=lambda pair: -pair[1].age)
    return {
        "time": _wall(reading, reading.now),
        "total": sum(worker.inflight for worker in reading.workers),
        "calls": [{"worker": worker.number, "pid": worker.pid, **asdict(call)} for worker, call in found[:LISTED]],
    }


def methods(reading: Reading, history: History) -> dict[str, Any]:
    """Every method: what it does now (over the last seconds), and since the server started."""
    running: dict[Key, list[tuple[float, WorkerView]]] = defaultdict(list)
    for worker in reading.workers:
        for call in worker.calls:
            running[call.service, call.method].append((call.age, worker))
    return {
        "time": _wall(reading, reading.now),
        "window": STEP * WINDOW,
        "connections": sum(worker.connections for worker in reading.workers),
        "in_flight": sum(worker.inflight for worker in reading.workers),
        "queued": sum(worker.queued for worker in reading.workers),
        "total": _now(history.now.get(ALL, NOTHING)),
        "methods": [
            _method(reading, key, stats, history.now.get(key, NOTHING), running.get(key, []))
            for key, stats in reading.methods.items()
        ],
    }


def _method(
    reading: Reading, key: Key, stats: MethodStats, now: Now, running: list[tuple[float, WorkerView]]
) -> dict[str, Any]:
    service, method = key
    oldest, holder = max(running, key=lambda each: each[0], default=(None, None))
    return {
        "service": service,
        "method": method,
        "in_flight": len(running),
        "oldest": oldest,
        "stuck_in": holder.number if holder is not None and reading.stuck(holder) else None,
        **_now(now),
        "calls": stats.calls,
        "failed": failed(stats),
        "outcomes": {name: count for name, count in stats.outcomes.items() if count},
        "declared": {name: count for name, count in stats.declared.items() if count},
        "mean": stats.duration / stats.calls / 1e9 if stats.calls else None,
        "p50_ever": percentile(stats.histogram, 0.5) if stats.calls else None,
        "p99_ever": percentile(stats.histogram, 0.99) if stats.calls else None,
        "request_bytes": stats.request_bytes,
        "reply_bytes": stats.reply_bytes,
    }


def _now(now: Now) -> dict[str, float | None]:
    return {name: None if math.isnan(value) else value for name, value in zip(now._fields, now, strict=True)}


def history(past: History, names: list[str], samples: int = KEPT) -> dict[str, Any]:
    """Series of the methods named ``Service.method``; always those of all methods together, under ``""``."""
    keys = {name: (service, method) for name in names for service, _, method in [name.rpartition(".")]}
    return {"step": STEP, "series": {name: past.series(key, samples) for name, key in ({"": ALL} | keys).items()}}


def errors(reading: Reading) -> dict[str, Any]:
    """The newest errors, the newest first; of living workers and of those before them."""
    found = [(worker, error) for worker in (*reading.workers, reading.past) for error in worker.errors]
    found.sort(key=lambda pair: -pair[1].when)
    return {
        "time": _wall(reading, reading.now),
        "errors": [
            {
                "time": _wall(reading, error.when),
                "worker": worker.number or None,
                "service": error.service,
                "method": error.method,
                "outcome": error.outcome,
                "error_id": error.error_id,
                "text": error.text,
            }
            for worker, error in found[:ERRORS]
        ],
    }


def _wall(reading: Reading, monotonic: int) -> float:
    return (monotonic + reading.wall) / 1e9
