"""What the benchmarks must show, in one place, and whether a figure does."""

from __future__ import annotations

from typing import Final

#: Encode and decode, as a share of what msgspec's msgpack takes.
CODEC: Final = {"User": 1.1, "Users100": 1.1, "DeepWide": 1.1, "I64x10k": 0.8, "Text1k": 1.1, "Blob1MiB": 1.1}

#: How much faster the pure codec is than thriftpy2's pure one, at least.
PURE: Final = 1.5

#: Encode and decode in another protocol, as a share of what a codec takes; None: compared without a bar. Of some cases
#: only: numbers of nine bytes are dear as varints, whoever reads them, and a blob is one copy in every protocol.
PROTOCOLS: Final[dict[str, dict[str, float | None]]] = {
    "compact": {"thriftserver": 1.4, "thriftpy2_compact": 0.25, "apache_compact": None},
    "tjson": {"thriftserver": None, "apache_tjson": 0.10},
}
PROTOCOL_CASES: Final = ("User", "Users100", "DeepWide", "Text1k")

#: CPU per request at 64 connections, as a share of a peer's.
SERVER: Final[dict[str, dict[str, float]]] = {
    "thriftpy2_gevent": {"ping": 0.33, "echo": 0.33, "get_user": 0.33, "batch": 0.25},
    "apache_threaded": {"ping": 0.45, "echo": 0.45, "get_user": 0.45, "batch": 0.5},
    "cpp_nonblocking": {"ping": 0.75, "echo": 0.75, "get_user": 0.75, "batch": 0.75},
    "c_epoll": {"ping": 1.15, "echo": 1.15, "get_user": 1.4},
}

#: CPU per request in a dialect, as a share of framed binary; for that itself, of the release before; for HTTP, of
#: Apache's processor under gunicorn.
DIALECTS: Final[dict[tuple[str, str], float]] = {
    **{("framed-binary", method): 1.02 for method in ("ping", "get_user", "batch")},
    ("unframed-binary", "ping"): 1.10,
    ("unframed-binary", "get_user"): 1.15,
    ("unframed-binary", "batch"): 1.35,
    ("framed-compact", "ping"): 1.10,
    ("framed-compact", "get_user"): 1.20,
    ("framed-compact", "batch"): 1.50,
    ("header", "ping"): 1.5,
    ("http", "ping"): 0.5,
}

#: CPU of a call in the client's process, as a share of another client's; ``canned`` is no client, but a bare loop of
#: ``sendall`` and ``recv`` with bytes made before.
CLIENT: Final[dict[tuple[str, str, str], float]] = {
    ("ping", "thriftserver", "canned"): 1.25,
    ("get_user", "thriftserver", "thriftpy2"): 0.7,
    ("get_user", "thriftserver", "apache"): 0.7,
    ("get_user", "thriftserver_async", "thriftpy2_async"): 0.4,
}
#: Microseconds that a pool adds to it.
POOL_US: Final = {"ping": 1.0}

#: CPU of a relay that asks another server through a pool, as a share of that of a peer's relay.
RELAY: Final = {"thriftpy2_relay": 0.35, "cpp_relay": 0.9}

#: CPU over TLS of all processes that serve it, as a share of HAProxy, with one thread, in front of the plain server.
TLS: Final = {"ping": 0.75, "get_user": 0.75, "batch": 0.7, "handshake": 1.25}
#: Memory of each of 5,000 idle connections over TLS, in all of these processes.
TLS_IDLE_KIB: Final = 40.0

#: CPU of ``thriftserver bench`` per call, as a share of ``loadgen.c``, and how far their figures may be apart.
LOADTEST: Final = {"ping": 2.0, "echo": 2.0}
AGREEMENT: Final = 0.05

#: An unframed message of 16 MiB in 1,000 pieces, of the same in one.
PIECES: Final = 1.3

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
