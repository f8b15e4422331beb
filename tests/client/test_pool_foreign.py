"""Servers of other people's libraries in one pool with ours: called, left out while they stall, and taken back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.client.shells import BOTH, either
from tests.harness import PATIENCE, Server
from tests.interop.counterparts import compile_idl
from tests.support import ROOT
from thriftserver.client.statistics import ServerStats
from thriftserver.errors import ApplicationError, TransportError

IDL = """
exception Missing { 1: string name }
service Store {
  string who() (thriftserver.idempotent),
  string get(1: string name) throws (1: Missing missing),
  void crash(),
}
"""
HANDLER = """
import sys

class Store:
    def who(self):
        return NAME
    def get(self, name):
        if not name:
            raise Missing(name=name)
        return name
    def crash(self):
        raise RuntimeError("not for callers")
"""
OURS = 'import thriftserver\nMissing = thriftserver.load("store.thrift").Missing\nNAME = "ours"\n' + HANDLER
THRIFTPY2 = f"""
import thriftpy2
from thriftpy2 import protocol, transport
from thriftpy2.server import TThreadedServer
from thriftpy2.thrift import TProcessor

api = thriftpy2.load("store.thrift", module_name="store_thrift")
Missing = api.Missing
NAME = "thriftpy2"
{HANDLER}

class Told(transport.TServerSocket):
    def listen(self):
        super().listen()
        print(self.sock.getsockname()[1], flush=True)

protocols, transports = protocol.TBinaryProtocolFactory(), transport.TFramedTransportFactory()
socket = Told("127.0.0.1", 0)
TThreadedServer(TProcessor(api.Store, Store()), socket, iprot_factory=protocols, itrans_factory=transports).serve()
"""
APACHE = f"""
import sys

sys.path.insert(0, "gen")
from store import Store as service
from store.ttypes import Missing
from thrift.protocol.TBinaryProtocol import TBinaryProtocolFactory
from thrift.server.TServer import TThreadedServer
from thrift.transport.TSocket import TServerSocket
from thrift.transport.TTransport import TFramedTransportFactory

NAME = "apache"
{HANDLER}

class Told(TServerSocket):
    def listen(self):
        super().listen()
        print(self.handle.getsockname()[1], flush=True)

processor, transports, protocols = service.Processor(Store()), TFramedTransportFactory(), TBinaryProtocolFactory()
TThreadedServer(processor, Told("127.0.0.1", 0), transports, protocols, daemon=True).serve()
"""
API: Any = either(thriftserver.load("/foreign/store.thrift", files={"/foreign/store.thrift": IDL}))
pytestmark = BOTH


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "store.thrift").write_text(IDL)
    (tmp_path / "ours.py").write_text(OURS)
    return tmp_path


@pytest.fixture
def start(folder: Path) -> Iterator[Callable[[str, str], tuple[int, int]]]:
    """Starts a program that prints its port; pid and port."""
    running: list[subprocess.Popen[str]] = []

    def started(name: str, program: str) -> tuple[int, int]:
        (folder / f"{name}.py").write_text(program)
        peer = subprocess.Popen([sys.executable, f"{name}.py"], cwd=folder, stdout=subprocess.PIPE, text=True)
        running.append(peer)
        assert peer.stdout is not None
        return peer.pid, int(peer.stdout.readline())

    yield started
    for peer in running:
        peer.kill()
        peer.communicate()


def eventually(happened: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.005)


def test_servers_of_three_libraries(folder: Path, start: Callable[[str, str], tuple[int, int]]) -> None:
    (folder / "gen").mkdir()
    compile_idl("py", folder / "store.thrift", folder / "gen")
    with ExitStack() as stack:
        command = ("--idl", "store.thrift", "--handler", "ours:Store", "-w", "1")
        ours = stack.enter_context(Server(*command, cwd=folder, env={"PYTHONPATH": str(ROOT)}))
        peers = {"thriftpy2": start("thriftpy2_server", THRIFTPY2), "apache": start("apache_server", APACHE)}
        ports = [ours.port, *(port for _, port in peers.values())]
        names = [f"127.0.0.1:{port}" for port in ports]
        pool = stack.enter_context(
            API.Store.Pool(names, timeout=PATIENCE, attempt_timeout=0.3, eject_after=3, eject_for=0.2)
        )

        def stats(port: int) -> ServerStats:
            (found,) = (each for each in pool.stats().servers if each.address == f"127.0.0.1:{port}")
            return found

        assert {pool.who() for _ in range(60)} == {"ours", "thriftpy2", "apache"}
        for number in range(60):
            assert pool.get(f"é{number}") == f"é{number}"
            with pytest.raises(API.Missing):
                pool.get("")
        for library, (pid, port) in peers.items():
            os.kill(pid, signal.SIGSTOP)
            eventually(lambda: pool.who() != library and stats(port).ejections == 1)  # noqa: B023 - at once
            os.kill(pid, signal.SIGCONT)
            eventually(lambda: pool.who() == library and stats(port).state == "well")  # noqa: B023 - at once
            assert stats(port).ejections == 1
        # thriftpy2 closes the connection where a handler fails, which is a failure; others answer, which is none.
        for _ in range(12):
            with pytest.raises((TransportError, ApplicationError)):
                pool.crash()
        assert stats(ours.port).failed == 0
        assert stats(peers["apache"][1]).failed == 3
        eventually(lambda: pool.who() == "thriftpy2")
