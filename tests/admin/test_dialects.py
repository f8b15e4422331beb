"""What clients speak, wherever somebody looks: metrics, ``ctl status``, ``top``, the admin address, the access log."""

from __future__ import annotations

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.admin.conftest import CALCULATOR, Admin, Script
from tests.admin.test_metrics import Scrape, samples, scrape
from tests.harness import PATIENCE, Server, run
from tests.server.control import ctl
from tests.server.raw import Peer, add, message
from tests.support import ROOT
from thriftserver.cli.dialects import in_use
from thriftserver.scoreboard import layout
from thriftserver.scoreboard.board import Board
from thriftserver.wire import DIALECTS

UNFRAMED = DIALECTS.index("unframed-binary")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dialects")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    options = ("--admin", "127.0.0.1:0", "--control", "control", "--access-log", "all", "--workers", "2")
    arguments = ("--idl", str(CALCULATOR), "--handler", "handlers.calculator:Calculator", *options)
    with Server(*arguments, cwd=folder, env={"PYTHONPATH": str(ROOT)}) as made:
        yield made


@pytest.fixture(scope="module")
def clients(server: Server, address: str) -> Iterator[tuple[Peer, Peer]]:
    """Two that stay: one has made three calls in frames, the other one without."""
    with Peer(server) as framed, Peer(server) as unframed:
        for number in range(3):
            assert framed.ask(message("add", add(1, number))) is not None
        request = message("add", add(2, 3))[4:]
        unframed.send(request)
        reply = unframed.exactly(27)
        assert reply.startswith(b"\x80\x01\x00\x02")
        # Until each worker has one of them: on its way from one to the other, a connection is nobody's.
        server.eventually(lambda: spread(address) == [1, 1], "one connection for each worker")
        yield framed, unframed


def spread(address: str) -> list[float]:
    found = samples(get(address, "/metrics")).items()
    return [value for (name, _), value in found if name == "connections"]


@pytest.fixture(scope="module")
def address(server: Server) -> str:
    return str(server.wait("admin_listening")["addresses"][0])


def get(address: str, path: str) -> Any:
    with urllib.request.urlopen(f"http://{address}{path}", timeout=PATIENCE) as answer:
        return answer.read().decode()


IN_USE = "framed-binary 1 connection, 3 calls; unframed-binary 1, 1"


@pytest.mark.usefixtures("clients")
def test_metrics(address: str) -> None:
    found = Scrape(samples(get(address, "/metrics")))
    for dialect in DIALECTS:
        connections, calls = {"framed-binary": (1, 3), "unframed-binary": (1, 1)}.get(dialect, (0, 0))
        assert found.of("connections_by_dialect", dialect=dialect) == connections
        assert found.of("calls_by_dialect_total", dialect=dialect) == calls
    kinds = {dict(labels)["kind"] for name, labels in found if name == "oddities_total"}
    assert not [kind for kind in kinds if kind.startswith("calls_")]


@pytest.mark.usefixtures("clients")
def test_status_of_ctl(folder: Path) -> None:
    assert re.search(rf"^dialects +{IN_USE}$", ctl(folder, "status").stdout, re.MULTILINE)
    told = json.loads(ctl(folder, "--json", "status").stdout)["dialects"]
    assert list(told) == list(DIALECTS)
    assert told["unframed-binary"] == {"connections": 1, "calls": 1}
    assert told["http"] == {"connections": 0, "calls": 0}


@pytest.mark.usefixtures("clients")
def test_the_admin_address_and_top(address: str) -> None:
    told = json.loads(get(address, "/workers"))
    assert told["dialects"]["framed-binary"] == {"connections": 1, "calls": 3}
    assert told["troubles"] == []
    assert f"\ndialects: {IN_USE}\n" in run(ROOT, "top", "--admin", address, "--once").stdout
    data = json.loads(run(ROOT, "top", "--admin", address, "--once", "--json").stdout)
    assert data["workers"]["dialects"] == told["dialects"]


def test_the_access_log(server: Server, clients: tuple[Peer, Peer]) -> None:
    for peer, dialect in zip(clients, ("framed-binary", "unframed-binary"), strict=True):
        assert server.wait("call", peer=peer.name)["dialect"] == dialect
    assert all("dialect" in line for line in server.found("call"))


def test_a_connection_that_is_closed_is_counted_no_more(server: Server, address: str) -> None:
    def connections() -> int:
        return int(json.loads(get(address, "/workers"))["dialects"]["unframed-binary"]["connections"])

    before = connections()
    with Peer(server) as peer:
        peer.send(message("nothing", seqid=9)[4:])
        assert peer.exactly(4) == b"\x80\x01\x00\x03"
        assert connections() == before + 1
    server.eventually(lambda: connections() == before, "the end of a connection")


def test_calls_of_dead_workers_are_kept_and_their_connections_are_not(script: Script) -> None:
    for pen in script.pens.values():
        pen.add(layout.COUNTER[layout.SPOKEN["unframed-binary"]], 5)
        pen.put(layout.DIALECT + UNFRAMED, 2)
    script.board.fold(1, "killed")
    found = Scrape(samples(scrape(script.board)))
    assert found.of("calls_by_dialect_total", dialect="unframed-binary") == 10
    assert found.of("connections_by_dialect", dialect="unframed-binary") == 2


def test_nothing_is_shown_where_nothing_is(admin: Admin) -> None:
    assert "dialects" not in run(ROOT, "top", "--admin", admin.url, "--once").stdout
    assert in_use({"http": {"connections": 0, "calls": 0}}) == ""
    assert in_use({"header": {"connections": 12, "calls": 3401}}) == "header 12 connections, 3,401 calls"


def test_a_dialect_has_a_counter_and_a_gauge_of_its_own() -> None:
    assert len(Board.create(1, 1).snapshot()[1].dialects) == len(DIALECTS)
    assert max(layout.COUNTER.values()) < layout.DIALECT
    assert layout.DIALECT + len(DIALECTS) <= layout.PAGE
