"""Who is let in at the admin address, by what name, and what it takes to keep others out of it."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.admin.conftest import METHODS, Admin, Script
from tests.harness import PATIENCE
from thriftserver.admin.door import HEAD
from thriftserver.admin.hosts import Hosts
from thriftserver.admin.http import MAX_BODY, MAX_HEAD, Refusal, end_of_head, read_head
from thriftserver.admin.site import FILES
from thriftserver.errors import ConfigError
from thriftserver.origins import resolve

PATHS = ["/healthz", "/readyz", "/workers", "/methods", "/calls", "/errors", "/history", "/idl", "/metrics", "/nothing"]
STRANGERS = (
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil.example.",
    "0x7f.1",
    "[::1].evil",
)
OURS = ("127.0.0.1", "10.1.2.3:9091", "[::1]", "[fe80::1]:80", "localhost", "LOCALHOST:1", "localhost.")
MALFORMED = (
    "[bad",
    "a b",
    "",
    "[::1",
    "a:b",
    "a:",
    "a:99999",
    "a:٢",
    "u@localhost",
    "localhost/",
    "[1.2.3.4]",
    "ü.example",
)


def connect(admin: Admin) -> socket.socket:
    return socket.create_connection(("127.0.0.1", admin.port), PATIENCE)


def say(admin: Admin, data: bytes) -> tuple[int, bytes]:
    """What a peer that sends ``data`` and nothing more is answered: status and body."""
    with connect(admin) as client:
        client.sendall(data)
        client.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else 0, body


def get(admin: Admin, path: str, *hosts: str) -> tuple[int, bytes]:
    lines = [f"GET {path} HTTP/1.1", *(f"Host: {host}" for host in hosts), "Connection: close", "", ""]
    return say(admin, "\r\n".join(lines).encode())


def test_no_path_is_read_under_a_stranger_s_name(admin: Admin) -> None:
    for path in [*PATHS, *FILES]:
        status, body = get(admin, path, "evil.example:80")
        assert status == 403, path
        assert "--admin-host" in json.loads(body)["error"]
    for host in STRANGERS:
        assert get(admin, "/errors", host)[0] in (400, 403), host
    for host in OURS:
        assert get(admin, "/errors", host)[0] == 200, host
    assert get(admin, "/errors", socket.gethostname())[0] == 200
    for host in MALFORMED:
        status, body = get(admin, "/healthz", host)
        assert (status, "Host" in json.loads(body)["error"]) == (400, True), host
    assert get(admin, "/healthz")[0] == 400, "no host"
    assert get(admin, "/healthz", "localhost", "localhost")[0] == 400, "two"
    assert get(admin, "/healthz", "localhost", "evil.example")[0] == 400
    assert admin.stop() == (0, ""), "mistakes of peers are not ours to log"


def test_names_can_be_added(script: Script) -> None:
    admin = Admin(script.board, [], {"admin_host": ["admin.example", ".cluster.local"], "admin": "db1:9091"})
    try:
        for host in ("admin.example", "Admin.Example:80", "a.b.cluster.local", "db1", "localhost"):
            assert get(admin, "/errors", host)[0] == 200, host
        for host in ("x.admin.example", "cluster.local.evil", "evilcluster.local", "db2"):
            assert get(admin, "/errors", host)[0] == 403, host
    finally:
        admin.stop()


@pytest.mark.parametrize("name", ["a b", "a:80", "http://a", "*", "", "a..b"])
def test_what_is_no_name_is_refused_at_the_start(name: str) -> None:
    with pytest.raises(ConfigError, match="no host name"):
        resolve({"admin_host": (name,)}, environ={})


def test_an_empty_list_of_ends_lets_nobody_in() -> None:
    with pytest.raises(Refusal, match="evil"):
        Hosts([""]).require("evil.example")


@pytest.mark.parametrize(
    "samples", ["٢", "0", "-1", "9e99", "", "x", "1.5", "9" * 5000, "301", "1&samples=2", "+1", " 1"]
)
def test_strange_numbers_are_refused(admin: Admin, samples: str) -> None:
    quoted = samples.encode().replace(b" ", b"%20").decode("latin-1")
    request = f"GET /history?samples={quoted} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    status, body = say(admin, request.encode("latin-1"))
    assert status == 400
    assert json.loads(body)["error"]


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("GET / HTTP/2.0\nHost: a", "400"),
        ("GET / HTTP/1.1 x\nHost: a", "400"),
        ("GET http://a/ HTTP/1.1\nHost: a", "400"),
        ("get / HTTP/1.1\nHost: a", "400"),
        ("GET / HTTP/1.1\nHost: a\n folded", "400"),
        ("GET / HTTP/1.1\nHost : a", "400"),
        ("GET / HTTP/1.1\nHost: a\nnothing", "400"),
        ("POST / HTTP/1.1\nHost: a\nContent-Length: 1\nContent-Length: 1", "400"),
        ("POST / HTTP/1.1\nHost: a\nContent-Length: -1", "400"),
        ("POST / HTTP/1.1\nHost: a\nContent-Length: ٢", "400"),
        ("POST / HTTP/1.1\nHost: a\nContent-Length: 1e3", "400"),
        (f"POST / HTTP/1.1\nHost: a\nContent-Length: {'9' * 5000}", "413"),
        (f"POST / HTTP/1.1\nHost: a\nContent-Length: {MAX_BODY + 1}", "413"),
        ("POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked", "411"),
    ],
)
def test_what_is_no_request_is_refused(head: str, status: str) -> None:
    with pytest.raises(Refusal) as caught:
        read_head(head.replace("\n", "\r\n").encode("utf-8") + b"\r\n\r\n")
    assert caught.value.status.startswith(status)


def test_a_head_ends_where_it_ends_or_is_too_long() -> None:
    assert end_of_head(b"GET / HTTP/1.1\r\n") == 0
    assert end_of_head(b"GET / HTTP/1.1\r\n\r\nmore") == 18
    assert end_of_head(b"GET / HTTP/1.1\n\nmore") == 16
    with pytest.raises(Refusal, match="head may have"):
        end_of_head(b"x" * MAX_HEAD)


# Nobody keeps others out.


@pytest.fixture
def large(script: Script) -> Iterator[Admin]:
    """One whose answers are larger than a socket's buffers."""
    many = [("Big", f"do_thing_{number}", []) for number in range(len(METHODS), 32)]
    script.pens[3] = script.pen(3, 1, [*METHODS, *many])
    made = Admin(script.board, [], {})
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.stop()


def answers_soon(admin: Admin) -> None:
    begun = time.monotonic()
    assert admin.json("/healthz") == {"alive": True}
    assert time.monotonic() - begun < HEAD, "not only once others have been given up"


def test_slow_and_idle_and_deaf_peers_keep_nobody_out(large: Admin) -> None:
    with ExitStack() as stack:
        for number in range(450):
            client = stack.enter_context(connect(large))
            client.sendall((b"", b"GET /healthz HTTP/1.1\r\n", b"POST /call HTTP/1.1\r\nHost: a\r\n\r\n")[number % 3])
            if number % 150 == 149:
                answers_soon(large)
        for _ in range(60):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", large.port))
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 50)  # and reads nothing of it
        answers_soon(large)
    answers_soon(large)
    assert large.stop() == (0, "")


def test_drops_of_a_request_do_not_last_longer_than_a_request_may(admin: Admin) -> None:
    """The limit is one for the whole head: no line, however often, buys more time."""
    begun = time.monotonic()
    with connect(admin) as client:
        client.settimeout(0.2)
        answer = b""
        client.sendall(b"GET /healthz HTTP/1.1\r\n")
        while not answer:
            assert time.monotonic() - begun < PATIENCE
            client.sendall(b"X: 1\r\n")
            try:
                answer = client.recv(65536)
            except TimeoutError:
                continue
    assert answer.startswith(b"HTTP/1.1 408 "), answer
    assert b"longer than 10 s" in answer


def test_requests_in_one_piece_are_answered_in_order(admin: Admin) -> None:
    request = "GET {} HTTP/1.1\r\nHost: localhost\r\n{}\r\n"
    data = (
        request.format("/healthz", "")
        + request.format("/nothing", "")
        + request.format("/readyz", "Connection: close\r\n")
    )
    with connect(admin) as client:
        for byte in data.encode():
            client.sendall(bytes([byte]))
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"404", b"200"]
    assert re.findall(rb"Connection: ([a-z-]+)", answer) == [b"keep-alive", b"keep-alive", b"close"]


def test_who_leaves_half_way_is_no_error(admin: Admin) -> None:
    for data in (
        b"POST /call HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nhalf",
        b"POST /call HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20,
    ):
        client = connect(admin)
        client.sendall(data)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
        client.close()
    assert admin.json("/healthz") == {"alive": True}
    assert admin.stop() == (0, "")
