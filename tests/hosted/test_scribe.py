"""Scribe's published client, with each transport, writes to handlers/scribe.py."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from scribe import scribe
from thrift.protocol import TBinaryProtocol
from thrift.transport import TSocket, TTransport

from tests.harness import Server

OK, TRY_LATER = 0, 1


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[Server]:
    args = ("--idl", "idl/scribe.thrift", "--handler", "handlers.scribe:scribe", "--workers", "2")
    with Server(*args, env={"SCRIBE_DIR": str(tmp_path / "logs")}) as server:
        yield server


@contextmanager
def client(server: Server, framed: bool = True) -> Iterator[Any]:
    """As Scribe's users write it: framed, and the header of the protocol's first version."""
    socket = TSocket.TSocket(server.host, server.port)
    transport = TTransport.TFramedTransport(socket) if framed else TTransport.TBufferedTransport(socket)
    transport.open()
    with closing(transport):
        yield scribe.Client(TBinaryProtocol.TBinaryProtocol(transport, strictRead=False, strictWrite=False))


def entries(category: str, *messages: str) -> list[Any]:
    return [scribe.LogEntry(category, message) for message in messages]


@pytest.mark.parametrize("framed", [True, False])
def test_a_line_for_each_message(collector: Server, tmp_path: Path, framed: bool) -> None:
    with client(collector, framed) as scribed:
        assert scribed.Log(entries("web", "one", "two\n") + entries("jobs", "ünö")) == OK
        assert scribed.Log([]) == OK
        assert scribed.getName() == "scribe"
    assert (tmp_path / "logs" / "web.log").read_text() == "one\ntwo\n"
    assert (tmp_path / "logs" / "jobs.log").read_text() == "ünö\n"


def test_no_category_leads_out_of_the_directory(collector: Server, tmp_path: Path) -> None:
    names = ["../evil", "/etc/evil", "..", "", "a\0b", "é" * 1000]
    with client(collector) as scribed:
        for name in names:
            assert scribed.Log(entries(name, "x")) == OK
    assert [path.name for path in tmp_path.iterdir()] == ["logs"]
    assert len(list((tmp_path / "logs").iterdir())) == len(names)


def test_clients_at_once_through_a_reload_lose_and_mix_nothing(collector: Server, tmp_path: Path) -> None:
    def write(number: int) -> None:
        with client(collector) as scribed:
            for count in range(50):
                assert scribed.Log(entries("web", *(f"{number} {count} {'x' * 2000}",) * 3)) == OK

    with ThreadPoolExecutor(4) as threads:
        done = [threads.submit(write, number) for number in range(4)]
        collector.signal(signal.SIGHUP)
        collector.wait("reloaded")
        for each in done:
            each.result()
    lines = (tmp_path / "logs" / "web.log").read_text().splitlines()
    expected = [f"{number} {count} {'x' * 2000}" for number in range(4) for count in range(50)] * 3
    assert sorted(lines) == sorted(expected)


def test_a_full_disk_is_told_and_nothing_is_kept_by_halves(collector: Server, tmp_path: Path) -> None:
    """A limit on files is to a process what a full disk is."""
    with client(collector) as scribed:
        assert scribed.Log(entries("web", "first")) == OK
        for pid in collector.workers():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        assert scribed.Log(entries("web", "x" * 2000)) == TRY_LATER
        assert (tmp_path / "logs" / "web.log").read_text() == "first\n"
        for pid in collector.workers():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        assert scribed.Log(entries("web", "x" * 2000)) == OK
    collector.wait("not_kept", entries=1)
