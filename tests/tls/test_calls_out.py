"""What handlers call over TLS: their connections wait in the worker's own loop, as those without TLS do."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest

import thriftserver
from tests.client.peers import Peer
from tests.harness import PATIENCE, Server
from tests.server.services import ARGS, write_demo
from tests.tls.pki import Pki
from tests.tls.test_own_clients import silent
from thriftserver.errors import ApplicationError
from thriftserver.wire import Application

IDL = """
service Front {
  // What became of a call of the store's from there.
  string ask(1: string where, 2: i32 value),
  string brief(1: i32 port),
  i32 again(1: i32 value),
  i64 echo(1: i32 size),
  string kinds(),
  i32 many(1: i32 count)
}
"""
FRONT = """
import os
import gevent
import thriftserver
from thriftserver.errors import TransportError

api = thriftserver.load("demo.thrift")
TLS = thriftserver.Tls(ca="ca.pem", cert="client.pem", key="client.key")
OPTIONS = {"host": os.environ["STORE"], "tls": TLS, "timeout": 60}

def client():
    return api.Demo.Client(**OPTIONS)

def kind(it):
    line = it.__channel__._line
    return f"{type(line).__name__} {type(line._inner).__name__}"

class Front:
    def setup(self):
        self.kept = client()
        assert self.kept.add(1, 2) == 3
        self.pool = api.Demo.Pool(**OPTIONS)
        self.coroutines = None

    def ask(self, where, value):
        def work():
            with client() as it:
                return str(it.add(value, 1))
        if where == "fiber":
            return work()
        if where == "greenlet":
            return gevent.spawn(work).get()
        if where == "thread":
            return gevent.get_hub().threadpool.apply(work)
        if where == "kept":
            return str(self.kept.add(value, 1))
        if where == "pool":
            return str(self.pool.add(value, 1))
        if where == "thread and pool":
            return gevent.get_hub().threadpool.apply(lambda: str(self.pool.add(value, 1)))
        if where == "child":
            read, write = os.pipe()
            if not os.fork():
                os.write(write, str(self.kept.add(value, 1)).encode())
                os._exit(0)
            os.close(write)
            said = os.read(read, 100).decode()
            os.close(read)
            os.wait()
            return said

    def brief(self, port):
        try:
            with api.Demo.Client("localhost", port, tls=TLS) as it:
                return str(it.pid())
        except TransportError as error:
            return f"{error.phase} {error.executed} {error}"

    async def again(self, value):
        if self.coroutines is None:
            self.coroutines = api.Demo.AsyncPool(**OPTIONS)
        return await self.coroutines.add(value, 1)

    def echo(self, size):
        point = api.Point(label=os.urandom(size // 2).hex())
        return len(point.label) if self.pool.echo(point) == point else -1

    def kinds(self):
        with client() as it:
            return f"{kind(it)}, {gevent.get_hub().threadpool.apply(lambda: kind(client()))}"

    def many(self, count):
        jobs = [gevent.spawn(self.pool.add, number, 1) for number in range(count)]
        return sum(job.get() == number + 1 for number, job in enumerate(jobs))
"""


class Two(NamedTuple):
    store: Server
    front: Server
    api: Any

    def client(self) -> Any:
        return self.api.Front.Client(self.front.host, self.front.port, timeout=PATIENCE)


@pytest.fixture(params=["native", "pure"], scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Two]:
    environment = {"THRIFTSERVER_PURE": "1"} if request.param == "pure" else {}
    folder = write_demo(tmp_path_factory.mktemp("calls"))
    pki = Pki(folder)
    pki.issue("client", "front.example.com")
    (folder / "front.thrift").write_text(IDL)
    (folder / "front.py").write_text(FRONT)
    with ExitStack() as stack:
        store = stack.enter_context(Server(*ARGS, *pki.mutual(), "-w", "1", cwd=folder, env=environment))
        front = Server(
            *("--idl", "front.thrift", "--handler", "front:Front", "-w", "1", "--method-timeout", "brief=0.3s"),
            cwd=folder,
            env={**environment, "STORE": f"localhost:{store.port}"},
        )
        yield Two(store, stack.enter_context(front), thriftserver.load(folder / "front.thrift"))


def test_from_wherever_handler_code_runs(two: Two) -> None:
    with two.client() as it:
        for where in ("fiber", "greenlet", "thread", "kept", "pool", "thread and pool", "child", "kept", "pool"):
            assert it.ask(where, 6) == "7", where
        assert it.again(6) == 7
        assert it.kinds() == "Secured Parking, Secured Line"
        for size in (0, 100, 70_000, 3_000_000):
            assert it.echo(size) == size
        assert it.many(200) == 200
    with ThreadPoolExecutor(16) as threads:

        def one(number: int) -> object:
            with two.client() as it:
                return it.again(number) if number % 3 else int(it.ask("pool", number))

        assert list(threads.map(one, range(60))) == [number + 1 for number in range(60)]
    assert not two.store.found("tls_refused")


def test_a_store_that_stalls_in_the_handshake_takes_no_longer_than_the_call(two: Two) -> None:
    with two.client() as it, Peer(silent) as peer:
        with pytest.raises(ApplicationError) as raised:
            it.brief(peer.port)
        assert raised.value.type == Application.TIMEOUT
        assert it.ask("fiber", 6) == "7"


def test_a_store_that_speaks_no_tls(two: Two) -> None:
    with two.client() as it:
        said = it.brief(two.front.port)
        assert said.startswith("handshaking False cannot connect to localhost")
        assert "TLS handshake: the server hung up; does it speak TLS?" in said
