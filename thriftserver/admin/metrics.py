"""Every metric once: name, type, labels, help, and where its values come from are one row of ``METRICS``.

Values are read from the scoreboard at each scrape; ``prometheus_client`` only knows how to write them down.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from prometheus_client import core
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

import thriftserver
from thriftserver.admin.health import judge
from thriftserver.admin.reading import Reading
from thriftserver.compiled import NATIVE
from thriftserver.scoreboard import layout
from thriftserver.scoreboard.records import MethodStats, WorkerView

#: Upper edges of the exported buckets, as buckets of the scoreboard: doublings from 131 us to 69 s, so every count is
#: exact. A query over them sees a quantile to a factor; the page's own come from all 480 and are within 3.2 %.
EDGES = tuple(layout.bucket(1 << power) for power in range(17, 37))
LE = (*(repr(layout.edge(place) / 1e9) for place in EDGES), "+Inf")

Samples = Iterable[tuple[Sequence[str], Any]]


@dataclass(frozen=True)
class Metric:
    """``read`` gives label values and a value: a number; for a histogram (buckets, sum in seconds); for info facts."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...]
    read: Callable[[Reading], Samples]


def _of_methods(pick: Callable[[MethodStats], Any]) -> Callable[[Reading], Samples]:
    def read(reading: Reading) -> Samples:
        return (((service, name), pick(stats)) for (service, name), stats in reading.methods.items())

    return read


def _of_workers(pick: Callable[[Reading, WorkerView], float]) -> Callable[[Reading], Samples]:
    def read(reading: Reading) -> Samples:
        return (((str(worker.number),), pick(reading, worker)) for worker in reading.workers)

    return read


def _one(pick: Callable[[Reading], Any]) -> Callable[[Reading], Samples]:
    return lambda reading: [((), pick(reading))]


def _registry(name: str) -> Callable[[Reading], Samples]:
    return _one(lambda reading: reading.registry[name])


def _outcomes(reading: Reading) -> Iterator[tuple[tuple[str, str, str], int]]:
    for (service, name), stats in reading.methods.items():
        for outcome, count in stats.outcomes.items():
            yield (service, name, outcome), count


def _declared(reading: Reading) -> Iterator[tuple[tuple[str, str, str], int]]:
    for (service, name), stats in reading.methods.items():
        for exception, count in stats.declared.items():
            yield (service, name, exception), count


def coarse(histogram: Sequence[int]) -> list[tuple[str, int]]:
    """The scoreboard's buckets as cumulative counts below each of ``LE``."""
    below = [0, *accumulate(histogram)]
    return list(zip(LE, [*(below[place] if len(below) > place else 0 for place in EDGES), below[-1]], strict=True))


def _durations(stats: MethodStats) -> tuple[list[tuple[str, int]], float]:
    return coarse(stats.histogram), stats.duration / 1e9


def _waits(reading: Reading) -> Samples:
    counts = [sum(column) for column in zip(*(view.queue for view in (*reading.workers, reading.past)), strict=True)]
    yield (), (coarse(counts), sum(stats.queued for stats in reading.methods.values()) / 1e9)


def _dialects(what: str) -> Callable[[Reading], Samples]:
    def read(reading: Reading) -> Samples:
        return (((name,), counts[what]) for name, counts in reading.dialects.items())

    return read


def _states(reading: Reading) -> Samples:
    for state in layout.STATES[layout.BOOTING :]:
        yield (state,), sum(worker.state == state for worker in reading.workers)


def _build(_: Reading) -> dict[str, str]:
    codec = "native" if NATIVE else "pure"
    return {"version": thriftserver.__version__, "python": platform.python_version(), "codec": codec}


_METHOD, _WORKER = ("service", "method"), ("worker",)

METRICS = (
    Metric("calls", "counter", "Calls by how they ended.", (*_METHOD, "outcome"), _outcomes),
    Metric(
        "declared_exceptions",
        "counter",
        "Calls that ended with an exception that the IDL declares, by its name.",
        (*_METHOD, "exception"),
        _declared,
    ),
    Metric(
        "call_duration_seconds",
        "histogram",
        "Time from the arrival of a request to its reply.",
        _METHOD,
        _of_methods(_durations),
    ),
    Metric("queue_seconds", "histogram", "Time that calls waited before their handler ran.", (), _waits),
    Metric("request_bytes", "counter", "Bytes of requests by method.", _METHOD, _of_methods(lambda s: s.request_bytes)),
    Metric("reply_bytes", "counter", "Bytes of replies by method.", _METHOD, _of_methods(lambda s: s.reply_bytes)),
    Metric(
        "calls_by_dialect",
        "counter",
        "Calls by the dialect of Thrift that they came in, those of unknown methods included.",
        ("dialect",),
        _dialects("calls"),
    ),
    Metric("received_bytes", "counter", "Bytes read from clients.", (), _one(lambda r: r.counter("bytes_in"))),
    Metric("sent_bytes", "counter", "Bytes written to clients.", (), _one(lambda r: r.counter("bytes_out"))),
    Metric("connections_accepted", "counter", "Connections accepted.", (), _one(lambda r: r.counter("accepted"))),
    Metric(
        "connections_handed_over",
        "counter",
        "Live connections that one worker has passed to another.",
        (),
        _one(lambda r: r.counter("handed_in")),
    ),
    Metric(
        "oddities",
        "counter",
        "What should not happen, by kind: strange peers, broken messages, timeouts of connections, blocked loops.",
        ("kind",),
        lambda r: (((kind,), count) for kind, count in r.oddities.items()),
    ),
    Metric(
        "connections_lost",
        "counter",
        "Connections that workers held when they died.",
        (),
        _one(lambda r: r.connections_lost),
    ),
    Metric("tls_connections", "gauge", "Open TLS connections.", (), _one(lambda r: r.tls.connections)),
    Metric(
        "tls_handshakes_under_way",
        "gauge",
        "TLS handshakes that are not over yet.",
        (),
        _one(lambda r: r.tls.handshakes),
    ),
    Metric("tls_handshakes", "counter", "TLS handshakes that succeeded.", (), _one(lambda r: r.tls.agreed)),
    Metric(
        "tls_sessions_resumed",
        "counter",
        "TLS handshakes that succeeded by going on with an earlier session.",
        (),
        _one(lambda r: r.tls.resumed),
    ),
    Metric(
        "tls_refused",
        "counter",
        "TLS handshakes that came to nothing, by why.",
        ("kind",),
        lambda r: (((kind,), count) for kind, count in r.tls.refused.items()),
    ),
    Metric(
        "certificate_expires_seconds",
        "gauge",
        "When the first certificate expires, in seconds since 1970; 0 without TLS.",
        (),
        _one(lambda r: r.tls.expires),
    ),
    Metric("registries", "gauge", "Registries that the server is to be entered in.", (), _registry("wanted")),
    Metric("registered", "gauge", "Registries that have the server now.", (), _registry("registered")),
    Metric(
        "registrations",
        "counter",
        "Times that the server was entered in a registry.",
        (),
        _registry("registrations"),
    ),
    Metric(
        "registry_losses",
        "counter",
        "Times that a registry was away, or had forgotten the server.",
        (),
        _registry("losses"),
    ),
    Metric("log_lines_lost", "counter", "Lines that the log could not take.", (), _one(lambda r: r.log_lines_lost)),
    Metric("connections", "gauge", "Open connections.", _WORKER, _of_workers(lambda _, w: w.connections)),
    Metric(
        "connections_by_dialect",
        "gauge",
        "Open connections by the dialect of Thrift that they speak, without those that have said nothing yet.",
        ("dialect",),
        _dialects("connections"),
    ),
    Metric(
        "connections_limit",
        "gauge",
        "Connections that a worker holds at most.",
        _WORKER,
        _of_workers(lambda _, w: w.room),
    ),
    Metric("calls_in_flight", "gauge", "Calls whose handler runs now.", _WORKER, _of_workers(lambda _, w: w.inflight)),
    Metric(
        "calls_queued",
        "gauge",
        "Calls that wait for their handler now.",
        _WORKER,
        _of_workers(lambda _, w: w.queued),
    ),
    Metric("threads", "gauge", "Threads that run handlers now.", _WORKER, _of_workers(lambda _, w: w.threads)),
    Metric(
        "worker_heartbeat_age_seconds",
        "gauge",
        "Time since the worker's event loop last gave a sign of life.",
        _WORKER,
        _of_workers(lambda r, w: r.silence(w)),
    ),
    Metric(
        "worker_generation",
        "gauge",
        "Which load of the program the worker runs; a reload adds one.",
        _WORKER,
        _of_workers(lambda _, w: w.generation),
    ),
    Metric("workers", "gauge", "Workers by state.", ("state",), _states),
    Metric(
        "workers_stuck",
        "gauge",
        "Workers that should serve and give no sign of life.",
        (),
        _one(lambda r: sum(map(r.stuck, r.workers))),
    ),
    Metric(
        "workers_full",
        "gauge",
        "Workers that hold as many connections as they may; new ones wait in the backlog.",
        (),
        _one(lambda r: sum(worker.full for worker in r.workers)),
    ),
    Metric("workers_wanted", "gauge", "Workers there should be.", (), _one(lambda r: r.wanted)),
    Metric("generation", "gauge", "The newest generation of workers.", (), _one(lambda r: r.generation)),
    Metric(
        "canary",
        "gauge",
        "1 while a new generation is tried beside the old one.",
        (),
        _one(lambda r: int(r.trial_due > 0)),
    ),
    Metric(
        "rollbacks",
        "counter",
        "New generations that were found worse than the old one, and given up.",
        (),
        _one(lambda r: r.rollbacks),
    ),
    Metric("ready", "gauge", "1 when /readyz says yes.", (), _one(lambda r: int(judge(r).ready))),
    Metric("worker_starts", "counter", "Workers started.", (), _one(lambda r: r.exits + len(r.workers))),
    Metric("worker_exits", "counter", "Workers that have ended, for whatever reason.", (), _one(lambda r: r.exits)),
    Metric(
        "worker_exit_reasons",
        "counter",
        "Workers that have ended, by why.",
        ("reason",),
        lambda r: (((reason,), count) for reason, count in r.reasons.items()),
    ),
    Metric(
        "start_time_seconds",
        "gauge",
        "When the server started, in seconds since 1970.",
        (),
        _one(lambda r: (r.born + r.wall) / 1e9),
    ),
    Metric(
        "uptime_seconds",
        "gauge",
        "How long the server has been running.",
        (),
        _one(lambda r: (r.now - r.born) / 1e9),
    ),
    Metric("build", "info", "What runs: version, Python, and whether the codec is compiled.", (), _one(_build)),
)


_FAMILIES: dict[str, Any] = {
    "counter": core.CounterMetricFamily,
    "gauge": core.GaugeMetricFamily,
    "histogram": core.HistogramMetricFamily,
    "info": core.InfoMetricFamily,
}


class _Once(Collector):
    """What ``prometheus_client`` asks for families: those of one reading."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def collect(self) -> Iterator[Any]:
        for metric in METRICS:
            family = _FAMILIES[metric.kind](f"thriftserver_{metric.name}", metric.help, labels=metric.labels)
            for labels, value in metric.read(self._reading):
                if metric.kind == "histogram":
                    family.add_metric(labels, *value)
                else:
                    family.add_metric(labels, value)
            yield family


def exposition(reading: Reading, accept: str) -> tuple[bytes, str]:
    """The text in the format that a scraper accepts best, and its content type."""
    encode, content_type = choose_encoder(accept)
    return encode(_Once(reading)), content_type
