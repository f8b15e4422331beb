"""``thriftserver mock``: the ordinary server, with answers that are made up."""

from __future__ import annotations

import json
import signal
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

import thriftserver
from tests.harness import PATIENCE, Server, run
from tests.mocking.shop import write_shop
from tests.server.raw import REPLY, Peer
from tests.tls.pki import Pki
from thriftserver.dialect.caller import SPEAKABLE
from thriftserver.errors import TransportError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    (folder / "examples.json").write_text(json.dumps({"count": [{"args": {"id": 1}, "result": 11}]}))
    args = ["--idl", "shop.thrift", "--idl", "till.thrift", "--examples", "examples.json", "--workers", "2", "--http"]
    rules = ["--fail", "touch=100%:DROP", "--fail", "get=100%:Gone", "--delay", "find=1ms..2ms"]
    with Server(*args, *rules, cwd=folder, command="mock") as server:
        yield server
    assert not server.found("handler_failed")


def test_every_dialect(folder: Path, server: Server) -> None:
    api = thriftserver.load(folder / "shop.thrift")
    found = set()
    for dialect in SPEAKABLE:
        with api.Shop.Client(server.host, server.port, dialect=dialect, timeout=PATIENCE) as client:
            found.add(repr(client.find({"b", "a"}, {})))
            assert client.count(1) == 11
            with pytest.raises(api.Gone):
                client.get(1, True)
            with pytest.raises(TransportError):
                client.touch(1)
            assert client.count(1) == 11
    assert len(found) == 1


def test_the_tools_need_an_address_alone(folder: Path, server: Server) -> None:
    address = f"{server.host}:{server.port}"
    done = run(folder, "call", address, "count", "id=1")
    assert (done.returncode, done.stdout) == (0, "11\n")
    done = run(folder, "call", address, "Till.total")
    assert done.returncode == 0
    assert isinstance(json.loads(done.stdout), int)
    assert run(folder, "call", address, "touch", "id=1").returncode == 7


def test_a_mock_of_a_server_that_tells_its_idl(folder: Path, server: Server) -> None:
    address = f"{server.host}:{server.port}"
    with Server(address, cwd=folder, command="mock") as copy:
        where = f"{copy.host}:{copy.port}"
        told = [run(folder, "describe", each, "--json").stdout for each in (address, where)]
        assert told[0] == told[1]
        api = thriftserver.load(folder / "shop.thrift")
        answers = set()
        for each in (copy, server):
            with api.Shop.Client(each.host, each.port, timeout=PATIENCE) as client:
                answers.add(repr(client.find({"a"}, {})))
        assert len(answers) == 1
        copy.signal(signal.SIGHUP)
        copy.wait("reloaded")
        assert run(folder, "call", where, "Till.total").returncode == 0


def test_a_reload_reads_the_examples_anew(tmp_path: Path) -> None:
    write_shop(tmp_path)
    file = tmp_path / "examples"
    file.write_text('{"method": "count", "result": 1}\n')
    args = ["--idl", "shop.thrift", "--examples", "examples", "--control", "control"]
    with Server(*args, cwd=tmp_path, command="mock") as server:
        api = thriftserver.load(tmp_path / "shop.thrift")
        with api.Shop.Client(server.host, server.port, timeout=PATIENCE) as client:
            assert client.count(1) == 1
            file.write_text('{"method": "count", "result": "x"}\n')
            refused = run(tmp_path, "ctl", "--control", "control", "reload")
            assert refused.returncode != 0
            assert "result: expected i32" in refused.stdout + refused.stderr
            assert client.count(1) == 1
            file.write_text('{"method": "count", "result": 2}\n')
            assert run(tmp_path, "ctl", "--control", "control", "reload").returncode == 0
            assert client.count(1) == 2
            server.upgrade()
            assert client.count(1) == 2


def message(name: str, seqid: int) -> bytes:
    """A call with an i64, framed, in the binary protocol."""
    body = struct.pack(">II", 0x80010001, len(name)) + name.encode() + struct.pack(">IBHqB", seqid, 10, 1, 1, 0)
    return struct.pack(">I", len(body)) + body


def test_a_configuration_for_run_serves_a_mock_too(folder: Path) -> None:
    (folder / "thriftserver.toml").write_text('idl = ["shop.thrift"]\nhandler = ["away:Away"]\ntypes = ["away"]\n')
    with Server("--config", "thriftserver.toml", cwd=folder, command="mock") as server:
        done = run(folder, "call", f"{server.host}:{server.port}", "count", "id=1")
        assert done.returncode == 0


@pytest.mark.parametrize("pipeline", ["1", "4"])
def test_a_dropped_connection_has_had_the_answers_before(folder: Path, pipeline: str) -> None:
    args = ["--idl", "shop.thrift", "--fail", "touch=100%:DROP", "--pipeline", pipeline]
    with Server(*args, cwd=folder, command="mock") as server, Peer(server) as peer:
        peer.send(message("count", 1) + message("touch", 2) + message("count", 3))
        answer = peer.answer()
        assert answer is not None
        assert (answer.kind, answer.name, answer.seqid) == (REPLY, "count", 1)
        assert peer.answer() is None


def test_over_tls_and_a_unix_socket(tmp_path: Path) -> None:
    write_shop(tmp_path)
    pki = Pki(tmp_path)
    args = ["--idl", "shop.thrift", "--fail", "touch=100%:DROP", *pki.options()]
    addresses = ["--bind", "localhost:0", "--bind", "unix:sock"]
    api = thriftserver.load(tmp_path / "shop.thrift")
    with Server(*args, *addresses, cwd=tmp_path, command="mock") as server:
        tls = api.Shop.Client("localhost", server.port, tls=pki.client(), timeout=PATIENCE)
        unix = api.Shop.Client(f"unix:{tmp_path / 'sock'}", timeout=PATIENCE)
        with tls, unix:
            assert tls.count(1) == unix.count(1)
            for client in (tls, unix):
                with pytest.raises(TransportError):
                    client.touch(1)
                client.count(1)


@pytest.mark.parametrize(
    ("args", "code", "why"),
    [
        ([], 2, "give the IDL as --idl FILE.thrift, or the address"),
        (["--idl", "shop.thrift", "--delay", "get"], 2, "delay: 'get' is no rule"),
        (["--idl", "shop.thrift", "--fail", "note=1%:DROP"], 2, "note is oneway"),
        (["--idl", "shop.thrift", "--examples", "away.json"], 2, "cannot read the examples in away.json"),
        (["--idl", "shop.thrift", "--service", "Shpo"], 4, "defines no service 'Shpo'; did you mean 'Shop'?"),
        (["--idl", "stock.thrift", "--method-timeout", "get=1s"], 2, "there is no method 'get'"),
        (["127.0.0.1:1"], 7, "cannot connect"),
        (["127.0.0.1:1:2"], 2, "127.0.0.1:1:2"),
    ],
)
def test_what_does_not_start(folder: Path, args: list[str], code: int, why: str) -> None:
    done = run(folder, "mock", *args, "--bind", "127.0.0.1:0")
    assert (done.returncode, done.stdout) == (code, "")
    assert why in done.stderr
    assert "Traceback" not in done.stderr
