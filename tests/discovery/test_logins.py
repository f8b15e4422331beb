"""Registries that want to know who asks: the real etcd with users, and a stand-in for Consul with a token."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import thriftserver
from tests.discovery.programs import Etcd, Registry, StandIn, wait_until
from tests.harness import PATIENCE, Server, run
from tests.server.control import ctl
from thriftserver.discovery.records import Record
from thriftserver.discovery.registries import read_url, registry_of, shown

DEMO = ("--idl", "demo.thrift", "--handler", "demo:Impl")
#: As it is, and as a URL has it.
PASSWORD, QUOTED = "p@ss:/%word", "p%40ss%3A%2F%25word"


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[Etcd]:
    running = Etcd(tmp_path)
    running.start()
    try:
        running.protect(PASSWORD)
        yield running
    finally:
        running.kill()


@pytest.fixture
def consul(tmp_path: Path) -> Iterator[StandIn]:
    running = StandIn(tmp_path, "t0ken")
    running.start()
    try:
        yield running
    finally:
        running.kill()


def login(registry: Registry, who: str, path: str = "demo") -> str:
    return registry.url(path).replace("://", f"://{who}@")


def called(folder: Path, url: str, server: Server) -> None:
    """By a pool, a client and the command, all of which ask the registry."""
    api = thriftserver.load(folder / "demo.thrift")
    with api.Demo.Pool(url, timeout=PATIENCE) as pool, api.Demo.Client(url, timeout=PATIENCE) as client:
        assert pool.add(1, 2) == client.add(2, 1) == 3
    done = run(folder, "call", url, "Demo.pid")
    assert (done.returncode, done.stderr) == (0, "")
    assert int(done.stdout) in server.workers()


def test_etcd_s_users(folder: Path, etcd: Etcd) -> None:
    url = login(etcd, f"root:{QUOTED}")
    with Server(*DEMO, "--register", url, "--register-ttl", "2s", "--control", "control", cwd=folder) as server:
        server.wait("registered", registry=etcd.url("demo"))
        assert [entry.address for entry in etcd.entries("demo")] == [f"127.0.0.1:{server.port}"]
        called(folder, url, server)
        assert etcd.url("demo") in ctl(folder, "status").stdout
        assert QUOTED not in ctl(folder, "--json", "status").stdout
    assert etcd.entries("demo") == []
    assert not [event for event in server.events if QUOTED in str(event) or PASSWORD in str(event)]


def test_an_etcd_that_has_forgotten_the_login_is_told_again(folder: Path, etcd: Etcd) -> None:
    url = login(etcd, f"root:{QUOTED}")
    with Server(*DEMO, "--register", url, "--register-ttl", "2s", cwd=folder) as server:
        server.wait("registered")
        etcd.kill()
        server.wait("registry_unreachable")
        etcd.start(empty=False)
        server.wait("registry_back")
        etcd.log_in(PASSWORD)
        wait_until(lambda: len(etcd.entries("demo")) == 1, "the entry")
        called(folder, url, server)


def test_a_token_that_etcd_has_forgotten_is_replaced_without_an_error(etcd: Etcd) -> None:
    where = read_url(login(etcd, f"root:{QUOTED}"))
    entry, source = registry_of(where).Entry(where, 30.0), registry_of(where).Source(where)
    record = Record("127.0.0.1", 9090)
    assert entry.assure(record)
    assert source.look(0.0) == [record.address]
    etcd.kill()
    etcd.start(empty=False)
    assert not entry.assure(record), "it is there, under its lease"
    assert source.look(0.0) == [record.address]
    other = registry_of(where).Entry(where, 30.0)
    threading.Timer(0.2, lambda: other.assure(Record("127.0.0.1", 9091))).start()
    assert len(source.look(PATIENCE)) == 2, "who waits hears of changes"


def test_a_wrong_password_is_told_and_not_shown(folder: Path, etcd: Etcd) -> None:
    url = login(etcd, "root:wrong")
    with Server(*DEMO, "--register", url, cwd=folder) as server:
        told = server.wait("registry_unreachable", registry=etcd.url("demo"))
        assert "authentication failed" in told["reason"]
    done = run(folder, "call", url, "Demo.pid")
    assert done.returncode == 7
    assert "authentication failed" in done.stderr
    assert "wrong" not in done.stderr + str(server.events)


def test_consul_s_token(folder: Path, consul: StandIn) -> None:
    url = login(consul, "t0ken")
    with Server(*DEMO, "--register", url, cwd=folder) as server:
        server.wait("registered", registry=consul.url("demo"))
        called(folder, url, server)
    with Server(*DEMO, "--register", login(consul, "another"), cwd=folder) as server:
        assert "Permission denied" in server.wait("registry_unreachable")["reason"]
    assert "t0ken" not in str(server.events)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("etcd://root@host/users", "is USER:PASSWORD, with %3A, %2F and %40"),
        ("etcd://root:@host/users", "is USER:PASSWORD"),
        ("consul://user:secret@host/users", "is TOKEN"),
        ("zk://user:secret@host/users", "without a login"),
    ],
)
def test_what_no_login_is(url: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as refused:
        read_url(url)
    assert "secret" not in str(refused.value)


def test_what_is_shown() -> None:
    assert shown("etcd://root:secret@a:1,b:2/users") == "etcd://a:1,b:2/users"
    assert [shown(name) for name in ("127.0.0.1:9090", "unix:/a@b", "zk://a/b@c")] == [
        *("127.0.0.1:9090", "unix:/a@b", "zk://a/b@c")
    ]
