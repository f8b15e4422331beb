"""A deadline travels: from a block to its calls, from a call that is served to those that its handler makes."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

import thriftserver
from tests.client.peers import Peer, answer
from tests.client.shells import BOTH, either
from tests.harness import PATIENCE, Server
from thriftserver.client.conversation import Conversation
from thriftserver.client.deadline import limit
from thriftserver.codec.plan import method_plan
from thriftserver.errors import ApplicationError, TransportError
from thriftserver.wire import Application

IDL = """
service Hops {
  // What is left of the call's time here, and at each port that it is passed on to, in milliseconds; -1 for any.
  list<i64> left(1: list<i32> ports, 2: string dialect),
  void stall(1: list<i32> ports, 2: string dialect)
}
"""
HEAD = """
import asyncio
import time
import gevent
import structlog
import thriftserver

api = thriftserver.load("hops.thrift")
log = structlog.get_logger()

def remaining():
    deadline = thriftserver.current_call().deadline
    return (deadline - time.monotonic_ns()) // 1_000_000 if deadline else -1
"""
PLAIN = """
class Hops:
    def left(self, ports, dialect):
        here = remaining()
        if not ports:
            return [here]
        with api.Hops.Client("127.0.0.1", ports[0], dialect=dialect) as client:
            return [here, *client.left(ports[1:], dialect)]

    def stall(self, ports, dialect):
        begun = time.monotonic()
        try:
            if ports:
                with api.Hops.Client("127.0.0.1", ports[0], dialect=dialect) as client:
                    client.stall(ports[1:], dialect)
            else:
                gevent.sleep(60)
        finally:
            log.info("stall_over", after=time.monotonic() - begun)
"""
ASYNC = """
class Hops:
    async def left(self, ports, dialect):
        here = remaining()
        if not ports:
            return [here]
        async with api.Hops.AsyncClient("127.0.0.1", ports[0], dialect=dialect) as client:
            return [here, *await client.left(ports[1:], dialect)]

    async def stall(self, ports, dialect):
        begun = time.monotonic()
        try:
            if ports:
                async with api.Hops.AsyncClient("127.0.0.1", ports[0], dialect=dialect) as client:
                    await client.stall(ports[1:], dialect)
            else:
                await asyncio.sleep(60)
        finally:
            log.info("stall_over", after=time.monotonic() - begun)
"""
API: Any = either(thriftserver.load("/deadlines/hops.thrift", files={"/deadlines/hops.thrift": IDL}))
pytestmark = BOTH
#: Seconds.
TIME = 1.0
WAYS = ["header", "header-compact"]


@pytest.fixture(scope="module", params=[PLAIN, ASYNC], ids=["plain", "async"])
def servers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Server]]:
    folder = tmp_path_factory.mktemp("hops")
    (folder / "hops.thrift").write_text(IDL)
    (folder / "hops.py").write_text(HEAD + request.param)
    with ExitStack() as stack:
        args = ("--idl", "hops.thrift", "--handler", "hops:Hops", "-w", "1")
        yield [stack.enter_context(Server(*args, cwd=folder)) for _ in range(3)]


def first(servers: list[Server], dialect: str, timeout: float | None = None) -> Any:
    return API.Hops.Client(servers[0].host, servers[0].port, timeout=timeout, dialect=dialect)


@pytest.mark.parametrize("dialect", WAYS)
def test_a_deadline_reaches_the_third_server(servers: list[Server], dialect: str) -> None:
    ports = [server.port for server in servers[1:]]
    with first(servers, dialect) as client:
        assert client.left(ports, dialect) == [-1, -1, -1]
        with thriftserver.deadline(PATIENCE):
            left = client.left(ports, dialect)
        assert PATIENCE * 1000 >= left[0] >= left[1] >= left[2] > 0
        assert client.left(ports, dialect) == [-1, -1, -1]
    with first(servers, dialect, timeout=PATIENCE) as client:
        assert PATIENCE * 1000 >= client.left(ports, dialect)[0] > 0


def test_without_a_place_for_it_only_the_client_knows(servers: list[Server]) -> None:
    with first(servers, "framed-binary", timeout=PATIENCE) as client:
        assert client.left([servers[1].port], "framed-binary") == [-1, -1]


@pytest.mark.parametrize("dialect", WAYS)
def test_no_handler_outlives_its_caller_over_three_hops(servers: list[Server], dialect: str) -> None:
    before = [len(server.found("stall_over")) for server in servers]
    with first(servers, dialect) as client:
        begun = time.monotonic()
        with thriftserver.deadline(TIME), pytest.raises((TransportError, ApplicationError)) as caught:
            client.stall([server.port for server in servers[1:]], dialect)
        took = time.monotonic() - begun
    if isinstance(caught.value, ApplicationError):
        assert caught.value.type == Application.TIMEOUT
    else:
        assert "timed out after" in str(caught.value)
        assert caught.value.executed
    assert TIME * 0.8 < took < TIME * 2
    for server, number in zip(servers, before, strict=True):
        assert server.wait("stall_over", number + 1)["after"] < TIME * 2


def test_blocks_shorten_and_never_lengthen() -> None:
    assert limit() is None
    with thriftserver.deadline(5):
        outer = limit()
        with thriftserver.deadline(60):
            assert limit() == outer
        with thriftserver.deadline(1):
            inner = limit()
            assert inner is not None
            assert outer is not None
            assert 3 < outer - inner < 5
        assert limit() == outer
    assert limit() is None


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan")])
def test_a_deadline_that_makes_no_sense(seconds: float) -> None:
    with pytest.raises(ValueError, match="a deadline must be more than 0 seconds away"), thriftserver.deadline(seconds):
        pass


def test_a_block_ends_a_call_without_a_timeout_and_the_connection_of_it() -> None:
    ended = threading.Event()

    def silent(sock: Any) -> None:
        sock.recv(1 << 16)
        assert sock.recv(1) == b""
        ended.set()

    with Peer(silent, answer) as peer, API.Hops.Client("127.0.0.1", peer.port) as client:
        with (
            thriftserver.deadline(0.3),
            pytest.raises(TransportError, match=r"timed out after 0\.[23]\d* s while waiting"),
        ):
            client.left([], "")
        assert ended.wait(PATIENCE)


def test_a_deadline_that_has_passed_sends_nothing() -> None:
    with Peer(answer) as peer, API.Hops.Client("127.0.0.1", peer.port) as client:
        with thriftserver.deadline(0.01):
            time.sleep(0.02)
            with pytest.raises(TransportError) as caught:
                client.left([], "")
        assert not caught.value.executed
        assert caught.value.phase in ("", "connecting", "sending")


def test_what_is_no_number_of_milliseconds_is_no_deadline(servers: list[Server]) -> None:

    plan = method_plan(next(iter(API.Hops.__thrift__.methods())))
    for said in ("", "soon", "-1", "1.5", "٣", "9" * 30):
        conversation = Conversation("header", 1 << 20, "")
        with socket.create_connection((servers[0].host, servers[0].port), PATIENCE) as sock:
            sock.sendall(conversation.call(plan, [[], ""], {"client_timeout": said}))
            assert conversation.reply(sock.recv(1 << 16)) == [-1]
