"""Clients over HTTP: what they send, and what servers of all kinds may say instead of an answer."""

from __future__ import annotations

import http.server
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from thrift.Thrift import TType

import thriftserver
from tests.client.peers import Peer
from tests.client.shells import BOTH, either
from tests.harness import PATIENCE, Server
from tests.speech import VOICES
from thriftserver.errors import EncodeError, TransportError
from thriftserver.wire import REPLY

IDL = """
service Post {
  map<string, string> seen(),
  oneway void note(),
  i32 number(),
  string peer()
}
"""
HANDLER = """
import thriftserver

class Post:
    def seen(self):
        call = thriftserver.current_call()
        call.reply_headers["served-by"] = "me"
        return call.headers

    def note(self): pass

    def number(self): return 7

    def peer(self): return thriftserver.current_call().peer
"""
API: Any = either(thriftserver.load("/http/post.thrift", files={"/http/post.thrift": IDL}))
pytestmark = BOTH
BINARY = VOICES["unframed binary"]


def number(call: int, value: int = 7) -> bytes:
    """The answer to a call of this number."""
    return BINARY.message("number", REPLY, call, [(0, TType.I32, value)])


BODY = number(1)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("post")
    (folder / "post.thrift").write_text(IDL)
    (folder / "post.py").write_text(HANDLER)
    with Server("--idl", "post.thrift", "--handler", "post:Post", "-w", "1", "--http", cwd=folder) as server:
        yield server


def client(port: int, **options: Any) -> Any:
    return API.Post.Client("127.0.0.1", port, **{"timeout": PATIENCE, "dialect": "http-binary"} | options)


def request(sock: socket.socket) -> bytes:
    """A whole request; OSError at the end."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += (more := sock.recv(1 << 16))
        if not more:
            raise OSError("the client has left")
    head, _, body = data.partition(b"\r\n\r\n")
    (length,) = (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    while len(body) < length:
        body += sock.recv(1 << 16)
    return head


def says(*answers: bytes, leave: bool = False) -> Callable[[socket.socket], None]:
    """A server that gives these answers to the first request, and the last one to all that follow."""

    def script(sock: socket.socket) -> None:
        request(sock)
        for each in answers:
            sock.sendall(each)
        while not leave:
            request(sock)
            sock.sendall(answers[-1])

    return script


def whole(body: bytes = BODY, status: str = "200 OK", *fields: str) -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join((*head, "", "")).encode() + body


def test_headers_are_fields(server: Server) -> None:
    sent = {"Tenant": "acmé", "user-agent": "tests"}
    with client(server.port, path="/a/b?c=d") as it, thriftserver.headers(sent) as block:
        seen = it.seen()
        left = int(seen.pop("client_timeout"))
        assert 0 < left <= PATIENCE * 1000
        assert seen == {
            "host": f"127.0.0.1:{server.port}",
            "tenant": "acmé",
            "user-agent": "tests",
            "accept": "application/x-thrift",
            "content-type": "application/x-thrift",
            "content-length": seen["content-length"],
        }
        assert block.reply["served-by"] == "me"


def test_a_connection_is_kept(server: Server) -> None:
    with client(server.port) as it:
        peers = set()
        for _ in range(3):
            peers.add(it.peer())
        assert len(peers) == 1
        it.note()
        assert it.peer() not in peers


def test_a_pool(server: Server) -> None:
    options = {"timeout": PATIENCE, "dialect": "http-binary", "path": "/a"}
    with API.Post.Pool("127.0.0.1", server.port, **options) as it, thriftserver.headers({"tenant": "acme"}) as block:
        seen = it.seen()
        assert (seen["tenant"], block.reply["served-by"]) == ("acme", "me")
        assert 0 < int(seen["client_timeout"]) <= PATIENCE * 1000
        peers = {it.peer() for _ in range(3)}
        assert len(peers) == 1
        it.note()
        assert it.peer() not in peers
        stats = it.stats()
        assert (stats.calls, stats.servers[0].failed) == (6, 0)


def test_what_is_asked_for() -> None:
    heads: list[bytes] = []

    def script(sock: socket.socket) -> None:
        heads.append(request(sock))
        sock.sendall(whole())

    with Peer(script) as peer, client(peer.port, path="/thrift") as it:
        assert it.number() == 7
    assert heads[0].startswith(b"POST /thrift HTTP/1.1\r\nhost: 127.0.0.1:%d\r\n" % peer.port)


@pytest.mark.parametrize(
    "answer",
    [
        [whole()],
        [b"HTTP/1.1 102 Processing\r\n\r\n", whole()],
        [whole()[:20], whole()[20:]],
        [
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n" + BODY[:3],
            b"\r\n%x\r\n" % len(BODY[3:]),
            BODY[3:] + b"\r\n0\r\n\r\n",
        ],
        [whole(BODY, "201 Created", "Content-Type: text/plain")],
    ],
    ids=["plain", "interim", "pieces", "chunks", "created"],
)
def test_answers(answer: list[bytes]) -> None:
    with Peer(says(*answer, leave=True), says(whole(BODY))) as peer, client(peer.port) as it:
        assert it.number() == 7


def renumbered(first: bytes) -> Callable[[socket.socket], None]:
    """A server that ends each connection with one answer, to call number 1, 2 and so on."""
    calls = iter(range(1, 100))

    def script(sock: socket.socket) -> None:
        request(sock)
        sock.sendall(first + number(next(calls)))

    return script


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(BODY),
        b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(BODY),
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
    ],
    ids=["closing", "old", "old-without-length", "without-length"],
)
def test_a_connection_that_ends_with_its_answer(head: bytes) -> None:
    with Peer(renumbered(head)) as peer, client(peer.port) as it:
        for count in range(1, 6):
            assert it.number() == 7
            assert peer.connections == count


def test_a_connection_that_is_to_end_is_not_used_although_it_is_still_there() -> None:
    def lingers(sock: socket.socket) -> None:
        request(sock)
        sock.sendall(whole(BODY, "200 OK", "Connection: close"))
        sock.recv(1)

    def second(sock: socket.socket) -> None:
        request(sock)
        sock.sendall(whole(number(2, 8)))

    with Peer(lingers, second) as peer, client(peer.port) as it:
        assert it.number() == 7
        assert it.number() == 8


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (
            whole(b"no such page", "404 Not Found", "Content-Type: text/plain; charset=utf-8"),
            "HTTP 404 Not Found: 'no such page'",
        ),
        (whole(b"<html>", "503 Service Unavailable", "Content-Type: text/html"), "HTTP 503 Service Unavailable"),
        (whole(b"", "302 Found", "Location: http://elsewhere/"), "HTTP 302 Found, which leads to 'http://elsewhere/'"),
        (whole(b"\x1b[2J\nx", "500 ", "Content-Type: text/plain"), r"HTTP 500: '\x1b[2J x'"),
        (whole(b"Hello", "200 OK"), "cannot read the reply: "),
        (whole(b""), "cannot read the reply: "),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "the answer cannot be read as http: bad HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", "more bytes than this client's max_frame (1000)"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n" + b"x" * 2048, "max_frame (1000)"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000, "the answer cannot be read as http: bad HTTP"),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nx",
            "the server closed the connection while waiting for the reply",
        ),
    ],
    ids=["404", "503", "302", "500", "no-thrift", "empty", "ssh", "large", "large-chunk", "large-head", "cut"],
)
def test_answers_that_are_none(answer: bytes, problem: str) -> None:
    with Peer(says(answer, leave=True), says(whole())) as peer, client(peer.port, max_frame=1000) as it:
        with pytest.raises(TransportError) as caught:
            it.number()
        assert problem in str(caught.value)
        assert str(caught.value).startswith(f"number at 127.0.0.1:{peer.port}: ")
        assert caught.value.executed


@pytest.mark.parametrize("answers", [True, False])
def test_a_oneway_call_has_its_connection_for_itself(answers: bool) -> None:
    """Some servers answer it, and some do not: so nobody waits for that, nor takes it for another answer."""

    def first(sock: socket.socket) -> None:
        request(sock)
        if answers:
            sock.sendall(whole(b"", "404 Not Found"))
        sock.recv(1)

    def second(sock: socket.socket) -> None:
        request(sock)
        sock.sendall(whole(number(2)))

    with Peer(first, second) as peer, client(peer.port) as it:
        it.note()
        assert it.number() == 7
        assert peer.connections == 2


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"Content-Length": "3"}, "'Content-Length' of an HTTP request is not for callers to set"),
        ({"host": "x"}, "'host'"),
        ({"line": "a\r\nb: c"}, "this is no HTTP"),
        ({"na me": "x"}, "this is no HTTP"),
        ({"name": "名"}, "this is no HTTP"),
    ],
)
def test_what_is_no_field(server: Server, given: dict[str, str], problem: str) -> None:
    with client(server.port) as it:
        with thriftserver.headers(given), pytest.raises(EncodeError, match=problem):
            it.number()
        assert it.number() == 7


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"path": "x"}, "path must begin with /"),
        ({"path": "/a b"}, "path must begin with /"),
        ({"path": "/é"}, "path must begin with /"),
        ({"path": "/x", "dialect": "header"}, "path='/x' is for HTTP, and the dialect is header"),
    ],
)
def test_what_is_no_path(options: dict[str, str], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        client(1, **options)


def test_a_server_that_speaks_http_is_named() -> None:
    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        with client(web.server_port) as it, pytest.raises(TransportError, match="HTTP 501"):
            it.number()
        web.shutdown()
        thread.join()
    with (
        Peer(says_at_once(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as peer,
        client(peer.port, dialect="framed-binary") as it,
        pytest.raises(TransportError, match="it seems to be http: give the client dialect='http'"),
    ):
        it.number()


def says_at_once(answer: bytes) -> Callable[[socket.socket], None]:
    def script(sock: socket.socket) -> None:
        sock.recv(1 << 16)
        sock.sendall(answer)
        sock.recv(1)

    return script


def test_without_h11() -> None:
    code = (
        "import sys; sys.modules['h11'] = None\n"
        "import thriftserver\n"
        "api = thriftserver.load('/x.thrift', files={'/x.thrift': 'service S { void f() }'})\n"
        "try: api.S.Client('127.0.0.1', 1, dialect='http')\n"
        "except thriftserver.errors.ConfigError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "HTTP needs h11; install it with: pip install 'thriftserver[http]'\n"
