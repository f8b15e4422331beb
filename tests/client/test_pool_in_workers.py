"""A pool of a handler: shared by a worker's calls, its greenlets and threads, and within the time of each call."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.client.peers import Peer, answer
from tests.harness import PATIENCE, Server
from thriftserver.errors import ApplicationError, TransportError
from thriftserver.wire import Application

IDL = """
service Back {
  i32 twice(1: i32 n) (thriftserver.idempotent),
  void stall()
}
service Front {
  i32 twice(1: i32 n),
  i32 from_thread(1: i32 n),
  list<i32> many(1: i32 n),
  void stall(),
  string stats()
}
"""
BACK = """
import gevent

class Back:
    def twice(self, n):
        gevent.sleep(0.001)
        return 2 * n
    def stall(self):
        gevent.sleep(60)
"""
FRONT = """
import os
import gevent
import thriftserver

api = thriftserver.load("hops.thrift")
options = {"timeout": 30, "attempt_timeout": 1, "size": 8, "eject_for": 0.2, "hedge": 0.5, "dialect": "header"}
pool = api.Back.Pool(os.environ["BACKS"].split(), **options)

class Front:
    def twice(self, n):
        return pool.twice(n)

    @thriftserver.blocking
    def from_thread(self, n):
        return pool.twice(n)

    def many(self, n):
        jobs = [gevent.spawn(pool.twice, i) for i in range(n)]
        return [job.get() for job in jobs]

    def stall(self):
        with thriftserver.deadline(0.3):
            pool.stall()

    def stats(self):
        return repr(pool.stats())
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "hops.thrift").write_text(IDL)
    (tmp_path / "back.py").write_text(BACK)
    (tmp_path / "front.py").write_text(FRONT)
    return tmp_path


@pytest.fixture
def backs(folder: Path) -> Iterator[list[Server]]:
    with ExitStack() as stack:
        command = ("--idl", "hops.thrift", "--handler", "Back=back:Back", "-w", "1")
        yield [stack.enter_context(Server(*command, cwd=folder)) for _ in range(2)]


@pytest.fixture
def front(folder: Path, backs: list[Server]) -> Iterator[Server]:
    names = " ".join(f"{each.host}:{each.port}" for each in backs)
    command = ("--idl", "hops.thrift", "--handler", "Front=front:Front", "-w", "1")
    with Server(*command, cwd=folder, env={"BACKS": names}) as server:
        yield server


def calls(folder: Path, server: Server, method: str, numbers: range) -> list[int]:
    api: Any = thriftserver.load(folder / "hops.thrift")
    with api.Front.Client(server.host, server.port, timeout=PATIENCE) as client:
        return [getattr(client, method)(n) for n in numbers]


def test_fibers_greenlets_and_threads_share_a_pool(folder: Path, front: Server) -> None:
    numbers = range(100)
    with ThreadPoolExecutor(12) as crowd:
        ways = ["twice", "from_thread"] * 6
        for found in crowd.map(lambda method: calls(folder, front, method, numbers), ways):
            assert found == [2 * n for n in numbers]
    api: Any = thriftserver.load(folder / "hops.thrift")
    with api.Front.Client(front.host, front.port, timeout=PATIENCE) as client:
        assert client.many(200) == [2 * n for n in range(200)]
        assert "calls=1400," in client.stats()
        assert "failed=0" in client.stats()


def test_a_stalled_server_of_a_handlers_pool(folder: Path, front: Server, backs: list[Server]) -> None:
    assert calls(folder, front, "twice", range(20)) == [2 * n for n in range(20)]
    workers = backs[0].workers()
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        front.eventually(
            lambda: bool(calls(folder, front, "twice", range(4)) and front.found("log", logger="thriftserver.pool")),
            "line of the pool",
        )
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
    said = front.wait("log", logger="thriftserver.pool")
    assert said["level"] == "warning"
    assert f"{backs[0].host}:{backs[0].port} gets no calls" in said["message"]
    front.eventually(
        lambda: (
            bool(calls(folder, front, "twice", range(4))) and len(front.found("log", logger="thriftserver.pool")) > 1
        ),
        "second line of the pool",
    )
    assert "gets calls again" in front.wait("log", 2, logger="thriftserver.pool")["message"]


def test_a_call_through_a_pool_ends_with_the_time_of_its_caller(folder: Path, front: Server) -> None:
    api: Any = thriftserver.load(folder / "hops.thrift")
    with api.Front.Client(front.host, front.port, timeout=PATIENCE, dialect="header") as client:
        with pytest.raises(ApplicationError):
            client.stall()
        with thriftserver.deadline(0.2), pytest.raises((ApplicationError, TransportError)) as caught:
            client.stall()
        assert not isinstance(caught.value, ApplicationError) or caught.value.type == Application.TIMEOUT
        assert client.twice(4) == 8


KEEPING_IDL = """
service Back { i32 put() }
service Front {
  i32 put(1: i32 port),
  // Before the call it asks a second port for something, and lets nobody else go on until that has answered.
  i32 put_after(1: i32 port, 2: i32 other),
  i64 failed()
}
"""
KEEPING = """
from gevent.monkey import get_original
import thriftserver

api = thriftserver.load("keeping.thrift")
blocking_socket = get_original("socket", "socket")
pools = []

class Front:
    def put(self, port):
        if not pools:
            pools.append(api.Back.Pool("127.0.0.1", port, timeout=30))
        return pools[0].put()

    def put_after(self, port, other):
        with blocking_socket() as sock:
            sock.connect(("127.0.0.1", other))
            assert sock.recv(1) == b"!"
        return self.put(port)

    def failed(self):
        return pools[0].stats().servers[0].failed
"""


@pytest.mark.parametrize("pure", [False, True], ids=["native", "pure"])
def test_connections_that_a_server_closed_between_calls_are_replaced(tmp_path: Path, pure: bool) -> None:
    (tmp_path / "keeping.thrift").write_text(KEEPING_IDL)
    (tmp_path / "keeping.py").write_text(KEEPING)
    api: Any = thriftserver.load(tmp_path / "keeping.thrift")
    command = ("--idl", "keeping.thrift", "--handler", "Front=keeping:Front", "-w", "1")
    env = {"THRIFTSERVER_PURE": "1"} if pure else {}

    def closing(sock: socket.socket) -> None:
        peer.hang_up()
        sock.sendall(b"!")

    with (
        Peer(answer) as peer,
        Peer(closing) as other,
        Server(*command, cwd=tmp_path, env=env) as front,
        api.Front.Client(front.host, front.port, timeout=PATIENCE) as client,
    ):
        for _ in range(20):
            assert client.put(peer.port) == 7
            peer.hang_up()
        for _ in range(20):
            assert client.put(peer.port) == 7
            assert client.put_after(peer.port, other.port) == 7
        assert client.failed() == 0
        assert peer.connections == 41
