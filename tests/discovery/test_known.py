"""What clients believe of a registry, and what they make of its records and URLs."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.harness import run
from thriftserver.discovery.addresses import Address
from thriftserver.discovery.following import Known
from thriftserver.discovery.records import Record, endpoint, member, read_endpoint, read_member
from thriftserver.discovery.registries import read_url
from thriftserver.discovery.resolvers import resolver_of

A, B, C = (Address("10.0.0.1", port) for port in (1, 2, 3))


def test_after_an_outage_nobody_is_taken_out_before_all_had_time_to_come_back() -> None:
    known = Known(settling=15.0)
    assert known.found([A, B], 0.0)
    assert known.found([A], 1.0)  # the registry was there all the time
    assert known.addresses == (A,)
    known.found([A, B], 2.0)
    known.lost()
    assert not known.found([], 100.0)  # it has come back with nothing
    assert known.addresses == (A, B)
    assert known.found([B, C], 101.0)
    assert known.addresses == (A, B, C)
    assert known.found([B, C], 115.0)
    assert known.addresses == (B, C)


def test_a_new_weight_counts_at_once() -> None:
    known = Known(settling=15.0)
    known.found([A], 0.0)
    known.lost()
    heavier = A._replace(weight=3.0)
    assert known.found([heavier], 1.0)
    assert known.addresses == (heavier,)


@pytest.mark.parametrize(
    "record", [Record("10.0.0.1", 9090, 3, "1.2"), Record("::1", 1), Record("users.internal", 65535)]
)
def test_records_are_read_as_they_were_written(record: Record) -> None:
    assert read_member(member(record)) == record.address
    assert read_endpoint(endpoint(record)) == record.address


NAMES = st.sampled_from(["serviceEndpoint", "host", "port", "metadata", "Addr", "Metadata", "weight"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=6,
)


@settings(deadline=None)  # a machine may be busy
@given(st.binary() | VALUES.map(lambda value: json.dumps(value).encode()))
def test_any_other_record_is_no_server_or_one_that_can_be(data: bytes) -> None:
    for read in (read_member, read_endpoint):
        found = read(data)
        assert found is None or (found.host and 0 < found.port < 1 << 16)


@pytest.mark.parametrize(
    ("text", "hosts", "path"),
    [
        ("zk://a,b:1,[::1]:2/x/y/", ["a:2181", "b:1", "[::1]:2"], "x/y"),
        ("etcd://a/users", ["a:2379"], "users"),
        ("consul://127.0.0.1:1/users", ["127.0.0.1:1"], "users"),
    ],
)
def test_urls(text: str, hosts: list[str], path: str) -> None:
    where = read_url(text)
    assert ([str(host) for host in where.hosts], where.path) == (hosts, path)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("eureka://a/x", "is no registry; known are zk://, etcd://, consul://"),
        ("zk://a", "write zk://HOST[:2181][,HOST...]/path"),
        ("etcd:///x", "write etcd://HOST[:2379][,HOST...]/prefix"),
        ("consul://a/b/c", "the name of a service in Consul has no slash"),
        ("zk://a:b/x", "the port must be a number"),
        ("zk://unix:x/y", "is reached over TCP"),
        ("etcd://a/x?y", "is no registry"),
    ],
)
def test_urls_that_are_none(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=re.escape(problem)):
        read_url(text)
    if not text.startswith("eureka"):
        with pytest.raises(ValueError, match=re.escape(problem)):
            resolver_of(text)


def check(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return run(folder, "run", "--idl", "demo.thrift", "--handler", "demo:Impl", *args)


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (["--register", "zk://a"], "--register: 'zk://a' is no registry"),
        (["--register-address", "a:b"], "--register-address: "),
        (["--register-address", "unix:/x"], "--register-address: clients reach a server over TCP"),
        (["--register-ttl", "10ms"], "--register-ttl: registries count in seconds; 1s is the least"),
        (["--register-weight", "0"], "--register-weight"),
        (["--register", "etcd://a/x", "--bind", "unix:sock"], "--register needs a TCP address"),
    ],
)
def test_a_start_says_what_makes_no_sense(args: list[str], problem: str, folder: Path) -> None:
    ended = check(folder, *args)
    assert ended.returncode == 2, ended.stderr
    assert problem in ended.stderr
    assert "Traceback" not in ended.stderr
