"""What handlers call: connections that wait in the worker's own loop, from wherever handler code runs."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest

import thriftserver
from tests.harness import PATIENCE, Server
from thriftserver.errors import ApplicationError
from thriftserver.wire import Application

IDL = """
service Store {
  i32 pid(),
  binary echo(1: binary data),
  i32 number(1: i32 value, 2: bool slow),
  void nap(1: double seconds)
}
service Front {
  // What became of a call of the store's from there: its result, or the error's text.
  string ask(1: string where, 2: string address, 3: double timeout, 4: i32 value),
  string brief(1: string where, 2: string address, 3: double timeout, 4: i32 value),
  i64 echo(1: string address, 2: i32 size),
  string kinds(1: string address),
  i32 sleepers(1: string address, 2: i32 count),
  i32 open_to(1: string address),
  void drop(1: string address)
}
"""
STORE = """
import json, os, sys, time
class Store:
    def pid(self): return os.getpid()
    def echo(self, data): return data
    def number(self, value, slow):
        if slow: time.sleep(0.01)
        return value
    def nap(self, seconds):
        print(json.dumps({"event": "napping"}), file=sys.stderr, flush=True)
        time.sleep(seconds)
"""
FRONT = """
import gc, os, threading, time
import gevent
import thriftserver
from thriftserver.errors import TransportError

api = thriftserver.load("calls.thrift")
EARLY = {}

def client(address, timeout=None):
    return api.Store.Client(address, timeout=timeout)

def kind(it):
    return type(it.__channel__._line).__name__

class Front:
    def setup(self):
        address = os.environ["STORE"]
        self.kept = client(address)  # before the worker serves
        assert self.kept.number(1, False) == 1
        self.lock = threading.Lock()

    def ask(self, where, address, timeout, value):
        def work():
            with client(address, timeout or None) as it:
                return str(it.nap(60) if value < 0 else it.number(value, True))
        try:
            if where == "fiber":
                return work()
            if where == "greenlet":
                return gevent.spawn(work).get()
            if where == "thread":
                return gevent.get_hub().threadpool.apply(work)
            if where == "kept":
                with self.lock:
                    return str(self.kept.number(value, False))
            if where == "child":
                return child(lambda: self.kept.number(value, False))
        except TransportError as error:
            return f"{error.phase} {error.executed} {error}"

    brief = ask  # with a time limit

    def kinds(self, address):
        with client(address) as it:
            it.pid()
            return f"{kind(self.kept)} {kind(it)} {gevent.get_hub().threadpool.apply(lambda: kind(client(address)))}"

    def echo(self, address, size):
        data = os.urandom(size)
        with client(address) as it:
            return len(data) if it.echo(data) == data else -1

    def sleepers(self, address, count):
        def one(number):
            with client(address) as it:
                return it.number(number, True) == number
        return sum(job.get() for job in [gevent.spawn(one, number) for number in range(count)])

    def open_to(self, address):
        gc.collect()
        gevent.sleep(0.01)
        return sum(is_socket(fd) for fd in os.listdir("/proc/self/fd"))

    def drop(self, address):
        self_made = [client(address) for _ in range(50)]
        for it in self_made:
            it.pid()
            it.circle = it  # what only the collector finds

def is_socket(fd):
    try:
        return os.readlink(f"/proc/self/fd/{fd}").startswith("socket:")
    except OSError:
        return False

def child(work):
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(write, str(work()).encode())
        finally:
            os._exit(0)
    said = os.read(read, 1000).decode()
    os.waitpid(pid, 0)
    os.close(read)
    os.close(write)
    return said
"""


class Two(NamedTuple):
    store: Server
    front: Server
    api: Any

    def client(self, **options: Any) -> Any:
        return self.api.Front.Client(self.front.host, self.front.port, timeout=PATIENCE, **options)

    @property
    def address(self) -> str:
        return f"{self.store.host}:{self.store.port}"


@pytest.fixture(params=["native", "pure"], scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Two]:
    tmp_path = tmp_path_factory.mktemp("calls")
    environment = {"THRIFTSERVER_PURE": "1"} if request.param == "pure" else {}
    (tmp_path / "calls.thrift").write_text(IDL)
    (tmp_path / "store.py").write_text(STORE)
    (tmp_path / "front.py").write_text(FRONT)
    api: Any = thriftserver.load(str(tmp_path / "calls.thrift"))
    with ExitStack() as stack:
        common = ("--idl", "calls.thrift", "-w", "1", "--graceful-timeout", "1s")
        store = stack.enter_context(
            Server(*common, "--handler", "store:Store", "--service", "Store", cwd=tmp_path, env=environment)
        )
        front = stack.enter_context(
            Server(
                *common,
                *("--handler", "front:Front", "--service", "Front", "--method-timeout", "brief=0.3s"),
                cwd=tmp_path,
                env={**environment, "STORE": f"{store.host}:{store.port}"},
            )
        )
        yield Two(store, front, api)


def test_fibers_greenlets_and_clients_of_setup_wait_in_the_loop(two: Two) -> None:
    with two.client() as it:
        for where in ("fiber", "greenlet", "thread", "kept", "child", "kept"):
            assert it.ask(where, two.address, 5, 7) == "7", where
        assert it.kinds(two.address) == "Parking Parking Line"
    with ThreadPoolExecutor(32) as pool:
        ways = ["fiber", "greenlet", "kept"] * 40

        def one(number: int) -> str:
            with two.client() as it:
                return str(it.ask(ways[number], two.address, 5, number))

        assert list(pool.map(one, range(len(ways)))) == [str(number) for number in range(len(ways))]


def test_many_at_once_in_one_call(two: Two) -> None:
    with two.client() as it:
        assert it.sleepers(two.address, 300) == 300


@pytest.mark.parametrize("size", [0, 1, 65_536 - 30, 65_536, 3_000_000])
def test_whatever_size(two: Two, size: int) -> None:
    with two.client() as it:
        assert it.echo(two.address, size) == size


@pytest.mark.parametrize("where", ["fiber", "greenlet", "thread"])
def test_a_time_limit(two: Two, where: str) -> None:
    with two.client() as it:
        said = it.ask(where, two.address, 0.2, -1)
        assert said.startswith("waiting True")
        assert "timed out after 0.2 s" in said
        assert it.ask(where, two.address, 5, 3) == "3"


def test_a_server_that_is_gone(two: Two) -> None:
    with socket.create_server(("127.0.0.1", 0)) as full, two.client() as it:
        nobody = f"127.0.0.1:{full.getsockname()[1]}"
        full.close()
        said = it.ask("fiber", nobody, 5, 1)
        assert said.startswith("connecting False")
        assert "refused" in said
        with (
            ThreadPoolExecutor(1) as pool,
            two.client() as other,
            two.api.Store.Client(two.store.host, two.store.port) as store,
        ):
            naps = len(two.store.found("napping"))
            asked = pool.submit(other.ask, "fiber", two.address, 0, -1)
            two.store.wait("napping", naps + 1)
            os.kill(store.pid(), signal.SIGKILL)
            assert asked.result(PATIENCE).startswith("waiting True")
        two.store.eventually(lambda: it.ask("kept", two.address, 5, 4) == "4", "the kept client connects anew")


def test_the_limit_of_the_call_that_is_served_ends_the_wait(two: Two) -> None:
    with two.client() as it, pytest.raises(ApplicationError) as raised:
        it.brief("fiber", two.address, 0, -1)
    assert raised.value.type == Application.TIMEOUT
    with two.client() as it:
        assert it.ask("fiber", two.address, 5, 5) == "5"


def test_what_nobody_closes_is_closed(two: Two) -> None:
    with two.client() as it:
        before = it.open_to(two.address)
        it.drop(two.address)
        assert it.open_to(two.address) <= before
