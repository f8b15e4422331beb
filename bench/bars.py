"""What the benchmarks must show, in one place, and whether a figure does."""

from __future__ import annotations

from typing import Final

#: Encode and decode, as a share of what msgspec's msgpack takes.
CODEC: Final = {"User": 1.1, "Users100": 1.1, "DeepWide": 1.1, "I64x10k": 0.8, "Text1k": 1.1, "Blob1MiB": 1.1}

#: How much faster the pure codec is than thriftpy2's pure one, at least.
PURE: Final = 1.5

#: CPU per request at 64 connections, as a share of a peer's.
SERVER: Final[dict[str, dict[str, float]]] = {
    "thriftpy2_gevent": {"ping": 0.33, "echo": 0.33, "get_user": 0.33, "batch": 0.25},
    "apache_threaded": {"ping": 0.45, "echo": 0.45, "get_user": 0.45, "batch": 0.5},
    "cpp_nonblocking": {"ping": 0.75, "echo": 0.75, "get_user": 0.75, "batch": 0.75},
    "c_epoll": {"ping": 1.15, "echo": 1.15, "get_user": 1.4},
}

#: With 5,000 idle connections: memory of each, and CPU of one core for all of them; 0.5 % is as little as can be told.
IDLE_KIB: Final = 2.0
IDLE_CPU_PERCENT: Final = 0.5

#: From the start of the process to the first reply.
FIRST_REPLY_MS: Final = 200.0

#: At three times the capacity: share of the capacity still served, and when the refused know.
GOODPUT: Final = 0.9
REFUSED_MS: Final = 50.0

#: p99 of a steady client beside slowloris, idle and write-stalled ones, as a multiple of its p99 alone.
CROWD: Final = 2.0


def verdict(*values: float, at_most: float | None = None, at_least: float | None = None) -> str:
    """``met`` if every value keeps the bar, usually the median and the minimum; nothing where there is none."""
    if at_most is None and at_least is None:
        return ""
    kept = all((at_most is None or v <= at_most) and (at_least is None or v >= at_least) for v in values)
    return "met" if kept else "not met"
