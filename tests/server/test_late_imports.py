"""--user where Python or a checkout is readable for root alone: nothing is imported once root has been given up."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

import thriftserver
from tests.discovery.programs import ZooKeeper
from tests.harness import PATIENCE, Server
from tests.server.control import ctl
from tests.support import ROOT, need
from tests.tls.pki import Pki
from thriftserver.dialect.caller import SPEAKABLE

#: Python imports it at its start, in every process of the server. What is imported by who is not root is written down,
#: by ``import_module`` as well, which Python's audit is not told of.
WATCHMAN = """
import os, sys

late = open(os.environ["LATE"], "a", buffering=1)

class Watchman:
    def find_spec(name, path, target=None):
        if os.geteuid():
            late.write(f"{open('/proc/self/comm').read().strip()}: {name}\\n")

sys.meta_path.insert(0, Watchman)
"""
IDL = """
exception Oops { 1: string why }
service Shop {
  i32 add(1: i32 a, 2: i32 b) throws (1: Oops oops)
  i32 slow(1: i32 a)
  i32 task(1: i32 a)
  i32 fail(1: string how)
  i32 through(1: i32 port)
  oneway void note()
}
"""
HANDLER = """
import pathlib
import thriftserver

api = thriftserver.load(pathlib.Path(__file__).parent / "shop.thrift")

class Impl:
    def add(self, a, b):
        if a < 0:
            raise api.Oops("less than nothing")
        return a + b

    @thriftserver.blocking
    def slow(self, a):
        return a

    async def task(self, a):
        return a

    def fail(self, how):
        if how == "result":
            return "no number"
        raise ValueError(how)

    def through(self, port):
        with api.Shop.Client("localhost", port, dialect="http-json") as shop, api.Shop.Pool("localhost", port) as shops:
            return shop.add(1, 2) + shops.add(3, 4)

    def note(self):
        pass
"""
ARGS = ("--idl", "shop.thrift", "--handler", "shop:Impl", "-w", "1", "--control", "control", "--http")


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp())
    path.chmod(0o777)
    for name, text in (("shop.thrift", IDL), ("shop.py", HANDLER), ("sitecustomize.py", WATCHMAN), ("late", "")):
        (path / name).write_text(text)
        (path / name).chmod(0o666)
    yield path
    shutil.rmtree(path)


def start(folder: Path, *args: str) -> Server:
    """As root, for workers that are nobody, with the watchman in every process."""
    need(os.geteuid() == 0, "root, to run workers as somebody else")
    paths = f"{folder}{os.pathsep}{ROOT}"
    return Server(*ARGS, "--user", "nobody", *args, cwd=folder, env={"PYTHONPATH": paths, "LATE": str(folder / "late")})


def test_a_worker_has_all_that_calls_and_errands_need(folder: Path) -> None:
    with start(folder) as server:
        api = thriftserver.load(folder / "shop.thrift")
        for dialect in SPEAKABLE:
            with api.Shop.Client(server.host, server.port, dialect=dialect, timeout=PATIENCE) as client:
                assert client.add(1, 2) == 3
                client.note()
                assert client.slow(1) == 1
                assert client.task(1) == 1
                for how in ("result", "how"):
                    with pytest.raises(thriftserver.ApplicationError):
                        client.fail(how)
                with pytest.raises(api.Oops):
                    client.add(-1, 0)
        with api.Shop.Client(server.host, server.port, timeout=PATIENCE) as asking:
            assert asking.through(server.port) == 10
        worker = str(server.workers()[0])
        for command in (
            ("tap", "-z", "0.1s"),
            ("profile", worker, "--seconds", "0.1s"),
            ("stacks", worker),
            ("status",),
            ("drain", worker),
        ):
            done = ctl(folder, *command)
            assert done.returncode == 0, (command, done.stderr)
        server.signal(signal.SIGHUP)
        server.wait("reloaded")
        assert server.stop() == 0
        assert not server.found("errand_failed")
    assert (folder / "late").read_text() == ""


def test_so_have_the_processes_beside_the_workers(folder: Path) -> None:
    pki, registry = Pki(folder), ZooKeeper(folder)
    registry.start()
    try:
        given = ("--admin", "127.0.0.1:0", "--admin-calls", "--bind", "plain:127.0.0.1:0", "--bind", "127.0.0.1:0")
        with start(folder, *given, *pki.options(), "--register", registry.url("late")) as server:
            (page,) = server.wait("admin_listening")["addresses"]
            for path in ("/", "/metrics", "/workers", "/calls"):
                urllib.request.urlopen(f"http://{page}{path}", timeout=PATIENCE).close()
            server.wait("registered")
            (secured,) = server.wait("listening")["tls"]
            api = thriftserver.load(folder / "shop.thrift")
            host, port = secured.split(":")
            tls = thriftserver.Tls(ca=folder / "ca.pem", server_name="localhost")
            with api.Shop.Client(host, int(port), tls=tls, timeout=PATIENCE) as client:
                assert client.add(1, 2) == 3
            server.signal(signal.SIGHUP)
            server.wait("reloaded")
            assert server.stop() == 0
    finally:
        registry.kill()
    assert (folder / "late").read_text() == ""
