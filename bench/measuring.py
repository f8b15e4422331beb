"""Samples: one short load on one server, and samples of several taken in turns.

The figure is CPU time per request of the whole server: it survives a shared machine, throughput does not. Servers take
turns sample by sample, and ratios are taken within a round, so that drift and neighbours hit all of them alike.
"""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from bench.processes import Load, Server, cpu_ns

T = TypeVar("T")


@dataclass
class Sample:
    cpu_us: float
    #: Of each client.
    results: list[dict[str, Any]]

    def latency(self, quantile: str) -> float:
        """In microseconds; of several clients the median."""
        return statistics.median(each["latency_us"][quantile] for each in self.results)


def sample(server: Server, method: str, conns: int, requests: int, clients: int = 1) -> Sample:
    """CPU time per request, every reply right; anything else ends the benchmark.

    Connections and requests are shared by that many client processes.
    """
    warmup = max(1, (20 if method == "batch" else 500) // conns)
    with contextlib.ExitStack() as stack:
        loads = [
            stack.enter_context(Load(server.port, method, conns // clients, requests // clients, warmup=warmup))
            for _ in range(clients)
        ]
        for load in loads:
            load.ready()
        pids = server.pids()
        before = cpu_ns(pids)
        for load in loads:
            load.start()
        for load in loads:
            load.done()
        after = cpu_ns(pids)
        results = [load.result() for load in loads]
    for result in results:
        if result["errors"] or result["timed_out"]:
            raise SystemExit(f"{server.name} does not answer {method} as it should: {result}")
    answered = sum(result["replies"] + result["oneways"] for result in results)
    return Sample((after - before) / 1e3 / answered, results)


def in_turns(names: Sequence[str], rounds: int, take: Callable[[str], T]) -> dict[str, list[T]]:
    """A B C, B C A, ...: nobody is always first. One value per name and round."""
    taken: dict[str, list[T]] = {name: [] for name in names}
    for number in range(rounds):
        first = number % len(names)
        for name in [*names[first:], *names[:first]]:
            taken[name].append(take(name))
    return taken


@dataclass
class Ratio:
    """What one costs of another: median of the rounds' ratios, and of the minima, which disturbance touches least."""

    median: float
    minimum: float


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
    return Ratio(statistics.median(a / b for a, b in zip(ours, theirs, strict=True)), min(ours) / min(theirs))


def ratios(taken: Mapping[str, Sequence[float]], ours: str) -> dict[str, Ratio]:
    return {name: ratio(taken[ours], values) for name, values in taken.items() if name != ours}
