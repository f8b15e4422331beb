"""What pools count, for Prometheus: ``REGISTRY.register(PoolCollector({"users": pool}))``; the only import of
prometheus_client here, which the extra ``admin`` brings.

Values are read at each scrape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from thriftserver.client.statistics import PoolStats, ServerStats


class Counting(Protocol):
    """A pool, of whichever kind."""

    def __stats__(self) -> PoolStats: ...


#: Name, help, and value of each counter of a pool.
POOL: Final[tuple[tuple[str, str, Callable[[PoolStats], int]], ...]] = (
    ("calls", "Calls, however often each was made.", lambda s: s.calls),
    ("repeated", "Attempts that were made because another one had failed.", lambda s: s.repeated),
    ("unpaid", "Calls that were not made again because too many others were.", lambda s: s.unpaid),
    ("hedged", "Attempts that were made because another one took long.", lambda s: s.hedged),
    ("hedges_won", "Such attempts that were answered first.", lambda s: s.hedges_won),
    ("queued", "Calls that had to wait for others to end.", lambda s: s.queued),
    ("connections_opened", "Connections that were to be made.", lambda s: s.opened),
)
#: The same of a server: counters, and what it has now.
SERVER: Final[tuple[tuple[str, str, Callable[[ServerStats], int]], ...]] = (
    ("attempts", "Attempts of calls at a server.", lambda s: s.calls),
    ("failures", "Attempts that were not answered.", lambda s: s.failed),
    ("shed", "Attempts that a server had no time for.", lambda s: s.shed),
    ("ejections", "How often a server was left out.", lambda s: s.ejections),
)
NOW: Final[tuple[tuple[str, str, Callable[[ServerStats], int]], ...]] = (
    ("in_flight", "Calls that are under way.", lambda s: s.in_flight),
    ("idle_connections", "Connections without a call.", lambda s: s.idle),
    ("server_in_use", "0 while a server is left out, else 1.", lambda s: int(s.state in ("well", "tried"))),
)


class PoolCollector(Collector):
    """Collects from ``pools``, by the names that they are to have in the label ``pool``.

    The mapping may change; more than one collector in a registry would give the same metrics twice.
    """

    def __init__(self, pools: Mapping[str, Counting]) -> None:
        self._pools = pools

    def describe(self) -> Iterator[Metric]:
        """Without asking the pools: a registry only wants the names."""
        return _families({})

    def collect(self) -> Iterator[Metric]:
        return _families({name: pool.__stats__() for name, pool in self._pools.items()})


def _families(stats: Mapping[str, PoolStats]) -> Iterator[Metric]:
    servers = [(name, server) for name, each in stats.items() for server in each.servers]
    for name, help, value in POOL:
        family = CounterMetricFamily(f"thriftserver_pool_{name}", help, labels=("pool",))
        for pool, each in stats.items():
            family.add_metric((pool,), value(each))
        yield family
    for name, help, of in SERVER:
        counter = CounterMetricFamily(f"thriftserver_pool_{name}", help, labels=("pool", "server"))
        for pool, server in servers:
            counter.add_metric((pool, server.address), of(server))
        yield counter
    for name, help, of in NOW:
        gauge = GaugeMetricFamily(f"thriftserver_pool_{name}", help, labels=("pool", "server"))
        for pool, server in servers:
            gauge.add_metric((pool, server.address), of(server))
        yield gauge
