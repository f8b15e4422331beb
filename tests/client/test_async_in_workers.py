"""Calls out of `async def` methods of a real server: they end with the call that is served, and hold nobody up."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.client.peers import Peer, answer, take
from tests.harness import PATIENCE, Server
from thriftserver.errors import ApplicationError
from thriftserver.wire import Application

IDL = """
service S { i32 ping(), i32 get() (thriftserver.idempotent) }
service Relay {
  i32 once(1: string where) (thriftserver.timeout = "400ms"),
  i32 pooled(1: list<string> where) (thriftserver.timeout = "400ms"),
  i32 many(1: string where, 2: i32 count),
  bool plain()
}
"""
HANDLER = """
import asyncio
import thriftserver

api = thriftserver.load("relay.thrift")

class Relay:
    async def setup(self):
        self.pools = {}

    async def once(self, where):
        async with api.S.AsyncClient(where) as client:
            return await client.ping()

    async def pooled(self, where):
        pool = self.pools.get(tuple(where))
        if pool is None:
            pool = self.pools[tuple(where)] = api.S.AsyncPool(where, hedge=0.05)
        return await pool.get()

    async def many(self, where, count):
        pool = api.S.AsyncPool(where, size=4)
        try:
            return sum(await asyncio.gather(*(pool.ping() for _ in range(count))))
        finally:
            await pool.aclose()

    def plain(self):
        return True

    async def teardown(self):
        for pool in self.pools.values():
            await pool.aclose()
"""
API: Any = thriftserver.load("/relay/relay.thrift", files={"/relay/relay.thrift": IDL})


@pytest.fixture(scope="module", params=["native", "pure"])
def relay(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder: Path = tmp_path_factory.mktemp("relay")
    (folder / "relay.thrift").write_text(IDL)
    (folder / "relay.py").write_text(HANDLER)
    env = {"THRIFTSERVER_PURE": "1" if request.param == "pure" else ""}
    with Server("--idl", "relay.thrift", "--handler", "Relay=relay:Relay", "-w", "1", cwd=folder, env=env) as server:
        yield server
    assert not server.found("tasks_left")
    assert not server.found("task_failed"), str(server.found("task_failed")[0])


@pytest.fixture
def client(relay: Server) -> Iterator[Any]:
    with API.Relay.Client(relay.host, relay.port, timeout=PATIENCE) as client:
        yield client


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_calls_out(client: Any, host: str) -> None:
    with Peer(answer) as peer:
        assert client.once(f"{host}:{peer.port}") == 7
        assert client.many(f"{host}:{peer.port}", 50) == 350
        assert client.many(f"dns://{host}:{peer.port}", 5) == 35
        assert client.plain()


@pytest.mark.parametrize("method", ["once", "pooled"])
def test_a_call_out_ends_with_the_call_that_is_served(client: Any, method: str) -> None:
    ended = [threading.Event(), threading.Event()]

    def silent(sock: socket.socket) -> None:
        take(sock)
        assert sock.recv(1) == b""
        next(left).set()

    left = iter(ended)
    with Peer(silent) as a, Peer(silent) as b:
        names = [f"127.0.0.1:{peer.port}" for peer in (a, b)]
        with pytest.raises(ApplicationError) as caught:
            getattr(client, method)(names[0] if method == "once" else names)
        assert caught.value.type == Application.TIMEOUT
        for event in ended[: 1 if method == "once" else 2]:  # both attempts of a race
            assert event.wait(PATIENCE)
    assert client.plain()
