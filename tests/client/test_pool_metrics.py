"""What pools count, as Prometheus reads it."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

import thriftserver
from tests.client.peers import Peer, answer
from tests.harness import PATIENCE
from thriftserver.client.collector import PoolCollector

API: Any = thriftserver.load("/metrics/s.thrift", files={"/metrics/s.thrift": "service S { i32 ping() }"})


def values(registry: CollectorRegistry) -> dict[tuple[str, str, str], float]:
    return {
        (sample.name, sample.labels["pool"], sample.labels.get("server", "")): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_pools_in_a_registry() -> None:
    registry = CollectorRegistry()
    pools: dict[str, Any] = {}
    registry.register(PoolCollector(pools))
    assert values(registry) == {}
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        registry.register(PoolCollector({}))
    with Peer(answer) as peer, API.S.Pool("127.0.0.1", peer.port, timeout=PATIENCE) as pool:
        pools["s"] = pool
        for _ in range(3):
            pool.ping()
        found = values(registry)
        where = f"127.0.0.1:{peer.port}"
        assert found["thriftserver_pool_calls_total", "s", ""] == 3
        assert found["thriftserver_pool_connections_opened_total", "s", ""] == 1
        assert found["thriftserver_pool_attempts_total", "s", where] == 3
        assert found["thriftserver_pool_failures_total", "s", where] == 0
        assert found["thriftserver_pool_idle_connections", "s", where] == 1
        assert found["thriftserver_pool_in_flight", "s", where] == 0
        assert found["thriftserver_pool_server_in_use", "s", where] == 1
        assert len(found) == 14
