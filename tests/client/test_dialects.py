"""A client in each dialect, with our server, and with one that speaks something else."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from thrift.Thrift import TType

import thriftserver
from tests.client.peers import Peer
from tests.client.shells import BOTH, either
from tests.harness import PATIENCE, Server
from tests.speech import VOICES
from thriftserver.dialect.caller import SPEAKABLE
from thriftserver.errors import ApplicationError, TransportError
from thriftserver.wire import REPLY, Application

IDL = """
exception Missing { 1: string name }
struct Box { 1: i64 number, 2: list<string> names, 3: optional binary data, 4: map<i32, double> rates }
service Store {
  Box get(1: Box box),
  void fail(1: string name) throws (1: Missing missing),
  void crash(),
  string speak(1: map<string, string> answer),
  binary large(1: i32 size),
  oneway void note(1: i32 number),
  i32 noted()
}
"""
HANDLER = """
import thriftserver

api = thriftserver.load("store.thrift")

class Store:
    notes = 0
    def get(self, box): return box
    def fail(self, name): raise api.Missing(name=name)
    def crash(self): raise RuntimeError("not for callers")
    def speak(self, answer):
        thriftserver.current_call().reply_headers.update(answer)
        return thriftserver.current_call().dialect
    def large(self, size): return bytes(range(256)) * (size // 256)
    def note(self, number): self.notes += number
    def noted(self): return self.notes
"""
API: Any = either(thriftserver.load("/dialects/store.thrift", files={"/dialects/store.thrift": IDL}))
pytestmark = BOTH
BOX = API.Box(number=-(1 << 40), names=["", "é\n"], data=b"\0\xff", rates={-1: 0.5})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("store")
    (folder / "store.thrift").write_text(IDL)
    (folder / "store.py").write_text(HANDLER)
    with Server("--idl", "store.thrift", "--handler", "store:Store", "-w", "1", "--http", cwd=folder) as server:
        yield server


@pytest.fixture(params=SPEAKABLE)
def client(server: Server, request: pytest.FixtureRequest) -> Iterator[Any]:
    with API.Store.Client(server.host, server.port, timeout=PATIENCE, dialect=request.param) as client:
        client.dialect = request.param
        yield client


def test_calls_in_each_dialect(client: Any) -> None:
    assert client.dialect.startswith(client.speak({}))
    assert client.get(BOX) == BOX
    with pytest.raises(API.Missing) as missing:
        client.fail("é")
    assert missing.value.name == "é"
    with pytest.raises(ApplicationError) as crash:
        client.crash()
    assert crash.value.type == Application.INTERNAL_ERROR
    before = client.noted()
    for number in range(4):
        client.note(number)
    assert client.noted() == before + 6
    assert client.large(5 << 20) == bytes(range(256)) * (5 << 12)
    assert client.get(BOX) == BOX


def test_what_comes_beside_a_reply(server: Server) -> None:
    with API.Store.Client(server.host, server.port, timeout=PATIENCE, dialect="header-compact") as client:
        assert client.speak({"served-by": "é"}) == "header"
        assert client.__conversation__.headers == {"served-by": "é"}
        client.noted()
        assert client.__conversation__.headers == {}


@pytest.mark.parametrize("dialect", SPEAKABLE)
def test_a_service_by_name(server: Server, dialect: str) -> None:
    options = {"timeout": PATIENCE, "dialect": dialect}
    with API.Store.Client(server.host, server.port, service="Store", **options) as client:
        assert client.get(BOX) == BOX
    with (
        API.Store.Client(server.host, server.port, service="Shop", **options) as client,
        pytest.raises(ApplicationError, match="no service 'Shop'"),
    ):
        client.get(BOX)


@pytest.mark.parametrize("asked", SPEAKABLE)
@pytest.mark.parametrize("answered", [name for name, voice in VOICES.items() if voice.dialect != "http"])
def test_a_server_that_answers_in_another_dialect_is_named(asked: str, answered: str) -> None:
    voice = VOICES[answered]
    answer = voice.message("noted", REPLY, 1, [(0, TType.I32, 7)])

    def script(sock: Any) -> None:
        sock.recv(1 << 16)
        sock.sendall(answer)
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1)

    with Peer(script) as peer, API.Store.Client("127.0.0.1", peer.port, timeout=PATIENCE, dialect=asked) as client:
        if SPEAKABLE[asked][0].name == voice.dialect:
            assert client.noted() == 7
            return
        with pytest.raises(TransportError) as caught:
            client.noted()
        assert str(caught.value).startswith(f"noted at 127.0.0.1:{peer.port}: ")
        assert caught.value.address == f"127.0.0.1:{peer.port}"
        assert caught.value.executed
        if ("unframed" in asked) != ("unframed" in voice.dialect):
            assert f"it seems to be {voice.dialect}: give the client dialect={voice.dialect!r}" in str(caught.value)


def test_a_dialect_that_is_none() -> None:
    with pytest.raises(ValueError, match=r"dialect must be one of framed-binary, .*; got 'grpc'"):
        API.Store.Client("127.0.0.1", 1, dialect="grpc")
