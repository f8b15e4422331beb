"""zk://, etcd:// and consul:// in clients: they follow what a registry says, and do without it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.client import shells
from tests.discovery.programs import Registry, wait_until
from tests.harness import Server
from thriftserver.errors import TransportError

BOTH = pytest.mark.parametrize("shell", ["Client", "AsyncClient"], indirect=True)
DEMO = ("--idl", "demo.thrift", "--handler", "demo:Impl", "--register-ttl", "2s")
#: Calls out of a worker, to whom a name stands for, in each of the two ways.
RELAY = """
import os, pathlib
import thriftserver

api = thriftserver.load(pathlib.Path(__file__).parent / "demo.thrift")


class Client:
    def __init__(self):
        self.pool = api.Demo.Pool(os.environ["WHERE"], timeout=10.0)

    def add(self, a, b):
        return self.pool.add(a, b) * 10

    def servers(self):
        return str(self.pool)


class AsyncClient:
    def __init__(self):
        self.pool = api.Demo.AsyncPool(os.environ["WHERE"], timeout=10.0)

    async def add(self, a, b):
        return await self.pool.add(a, b) * 10

    async def servers(self):
        return str(self.pool)
"""


def member(folder: Path, url: str, *args: str) -> Server:
    running = Server(*DEMO, "--register", url, *args, cwd=folder)
    running.wait("registered")
    return running


def knows(pool: Any, *servers: Server) -> Callable[[], bool]:
    """Whether a pool has these servers, after another call."""
    wanted = sorted(f"127.0.0.1:{each.port}" for each in servers)

    def has() -> bool:
        assert pool.add(1, 2) == 3
        return sorted(each.address for each in pool.stats().servers) == wanted

    return has


@BOTH
def test_pools_take_servers_that_come_and_drop_those_that_go(shell: str, folder: Path, registry: Registry) -> None:
    url = registry.url(f"pool-{shell}")
    api = shells.either(thriftserver.load(folder / "demo.thrift"))
    with member(folder, url) as one, api.Demo.Pool(url, timeout=10.0, refresh=3600.0) as pool:
        assert pool.add(1, 2) == 3
        with member(folder, url, "--register-weight", "3") as other:
            wait_until(knows(pool, one, other), "both are known")
            other.signal(signal.SIGTERM)
            wait_until(knows(pool, one), "one of them is gone")
            other.wait("stopped")
        stats = pool.stats()
        assert sum(each.failed for each in stats.servers) == 0


@shells.ONLY_SYNC
def test_who_was_found_is_called_while_the_registry_is_away(shell: str, folder: Path, registry: Registry) -> None:
    url, nobody = registry.url(f"away-{shell}"), registry.url(f"nobody-{shell}")
    api = shells.either(thriftserver.load(folder / "demo.thrift"))
    with member(folder, url) as one, api.Demo.Pool(url, timeout=10.0, refresh=0.05) as pool:
        assert pool.add(1, 2) == 3
        registry.kill()
        try:
            one.wait("registry_unreachable")
            assert all(pool.add(1, 2) == 3 for _ in range(100))
            with api.Demo.Client(url, timeout=10.0) as client:  # it asks the same that is known to the pool
                assert client.add(1, 2) == 3
            with api.Demo.Pool(nobody, timeout=10.0) as other, pytest.raises(TransportError) as caught:
                other.add(1, 2)
            assert str(caught.value).startswith(f"cannot resolve {nobody}: ")
            assert not caught.value.executed
        finally:
            registry.start()
        with member(folder, url) as other:
            wait_until(knows(pool, one, other), "who comes later is found")


@shells.ONLY_SYNC
def test_a_registry_that_hangs_keeps_nobody_waiting(shell: str, folder: Path, registry: Registry) -> None:
    url = registry.url(f"stuck-{shell}")
    api = shells.either(thriftserver.load(folder / "demo.thrift"))
    with member(folder, url), api.Demo.Pool(url, timeout=10.0, refresh=0.05) as pool:
        assert pool.add(1, 2) == 3
        registry.freeze()
        try:
            assert all(pool.add(1, 2) == 3 for _ in range(100))
            with api.Demo.Pool(registry.url(f"nobody-{shell}"), timeout=0.2) as other, pytest.raises(TransportError):
                other.add(1, 2)
        finally:
            registry.thaw()


@shells.ONLY_SYNC
def test_what_is_no_server_is_passed_over(shell: str, folder: Path, registry: Registry) -> None:
    url = registry.url(f"spoilt-{shell}")
    api = shells.either(thriftserver.load(folder / "demo.thrift"))
    registry.spoil(f"spoilt-{shell}")
    with pytest.raises(TransportError, match="no server to connect to"), api.Demo.Client(url, timeout=10.0) as client:
        client.add(1, 2)
    with Server(*DEMO, "--register", url, cwd=folder) as one:
        one.wait("registered")
        with api.Demo.Pool(url, timeout=10.0) as pool:
            wait_until(knows(pool, one), "the server is known, and nobody else")


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")  # of fork, as of Python 3.12
def test_a_forked_child_follows_by_itself(folder: Path, registry: Registry) -> None:
    url = registry.url("forked")
    api = thriftserver.load(folder / "demo.thrift")
    with member(folder, url) as one, api.Demo.Pool(url, timeout=10.0, refresh=3600.0) as pool:
        assert pool.add(1, 2) == 3
        pid = os.fork()
        if pid == 0:
            try:
                wait_until(lambda: pool.add(1, 2) == 3 and len(pool.stats().servers) == 2, "the child hears of it")
                os._exit(0)
            finally:
                os._exit(1)
        with member(folder, url) as other:
            assert os.waitpid(pid, 0)[1] == 0
            wait_until(knows(pool, one, other), "so does its parent")


@BOTH
def test_handlers_follow_registries(shell: str, folder: Path, registry: Registry) -> None:
    url = registry.url(f"handlers-{shell}")
    (folder / "relay.py").write_text(RELAY)
    (folder / "relay.thrift").write_text("service Relay { i32 add(1: i32 a, 2: i32 b), string servers() }")
    api = thriftserver.load(folder / "relay.thrift")
    relay = ("--idl", "relay.thrift", "--handler", f"relay:{shell}")
    with member(folder, url) as one, Server(*relay, cwd=folder, env={"WHERE": url}) as middle:
        client = api.Relay.Client(middle.host, middle.port)
        assert client.add(1, 2) == 30

        def knows_both() -> bool:
            assert client.add(1, 2) == 30
            return all(f"127.0.0.1:{each.port}" in client.servers() for each in (one, other))

        with member(folder, url) as other:
            wait_until(knows_both, "the relay has heard of the other one")
        client.close()
