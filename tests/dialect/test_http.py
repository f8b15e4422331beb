"""Thrift in HTTP over raw sockets: what any HTTP client may do, and what no Thrift client would."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import pytest
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.protocol.TJSONProtocol import TJSONProtocol
from thrift.transport.TTransport import TMemoryBuffer

from tests.dialect.conftest import MAX_FRAME, ORIGIN, echo_server
from tests.harness import PATIENCE, Server
from tests.interop.scenarios import UNICODE

PROTOCOLS = {"binary": TBinaryProtocol, "compact": TCompactProtocol, "json": TJSONProtocol}
CHUNKED = "Transfer-Encoding: chunked"


class Response(NamedTuple):
    status: int
    fields: dict[str, str]
    body: bytes


class Browser:
    """One connection."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.stream = connection.makefile("rb")

    def send(self, body: bytes, *fields: str, start: str = "POST / HTTP/1.1", size: int | None = None) -> None:
        head = [start, "Host: example.org", *fields]
        if CHUNKED not in fields:
            head.append(f"Content-Length: {len(body) if size is None else size}")
        self.connection.sendall("\r\n".join([*head, "", ""]).encode() + body)

    def receive(self, with_body: bool = True) -> Response:
        _, status, *_ = self.stream.readline().split()
        fields = dict(iter(self._field, None))
        length = int(fields.get("content-length", 0))
        return Response(int(status), fields, self.stream.read(length) if with_body else b"")

    def _field(self) -> tuple[str, str] | None:
        line = self.stream.readline().decode().strip()
        name, _, value = line.partition(":")
        return (name.lower(), value.strip()) if line else None

    def has_ended(self) -> bool:
        return self.stream.read() == b""


@contextmanager
def browse(server: Server) -> Iterator[Browser]:
    with socket.create_connection((server.host, server.port), PATIENCE) as connection:
        browser = Browser(connection)
        with browser.stream:
            yield browser


@pytest.fixture
def browser(server: Server) -> Iterator[Browser]:
    with browse(server) as made:
        yield made


def repeat(echo: Any, text: str, times: int = 1, protocol: str = "binary") -> bytes:
    client = echo.Client(PROTOCOLS[protocol](TMemoryBuffer()))
    client.send_repeat(text, times)
    return client._oprot.trans.getvalue()  # type: ignore[no-any-return]


def repeated(echo: Any, response: Response, protocol: str = "binary") -> str:
    assert response.status == 200, response
    return echo.Client(PROTOCOLS[protocol](TMemoryBuffer(response.body))).recv_repeat()  # type: ignore[no-any-return]


def test_calls_follow_each_other_on_a_connection(browser: Browser, echo: Any) -> None:
    for text in ("first", "", UNICODE, "x" * 100_000):
        browser.send(repeat(echo, text))
        response = browser.receive()
        assert repeated(echo, response) == text
        assert "connection" not in response.fields


def test_requests_that_do_not_wait_are_answered_in_order(browser: Browser, echo: Any) -> None:
    texts = [f"{number} " * (number % 7 * 100) for number in range(50)]
    for text in texts:
        browser.send(repeat(echo, text))
    assert [repeated(echo, browser.receive()) for _ in texts] == texts


def test_a_request_that_comes_byte_by_byte(browser: Browser, echo: Any) -> None:
    body = repeat(echo, "slow")
    head = f"POST /any/path?at=all HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    browser.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in head + body:
        browser.connection.sendall(bytes((byte,)))
    assert repeated(echo, browser.receive()) == "slow"


def test_a_body_in_chunks(browser: Browser, echo: Any) -> None:
    for text in ("one", "x" * 10_000):
        body = repeat(echo, text)
        chunks = (body[at : at + 7] for at in range(0, len(body), 7))
        sent = b"".join(b"%x;extension\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
        browser.send(sent + b"0\r\nTrailer: x\r\n\r\n", CHUNKED)
        assert repeated(echo, browser.receive()) == text


def test_who_asks_whether_to_go_on_is_told(browser: Browser, echo: Any) -> None:
    for text in ("first", "second"):
        body = repeat(echo, text)
        browser.send(b"", "Expect: 100-continue", size=len(body))
        assert browser.receive() == Response(100, {}, b"")
        browser.connection.sendall(body)
        assert repeated(echo, browser.receive()) == text


def test_a_oneway_is_answered_with_nothing(browser: Browser, server: Server, echo: Any) -> None:
    client = echo.Client(TBinaryProtocol(TMemoryBuffer()))
    client.send_note(UNICODE)
    browser.send(client._oprot.trans.getvalue())
    response = browser.receive()
    assert (response.status, response.fields["content-length"], response.body) == (200, "0", b"")
    browser.send(repeat(echo, "afterwards"))
    assert repeated(echo, browser.receive()) == "afterwards"
    server.wait("note", text=UNICODE)


@pytest.mark.parametrize("start", ["POST / HTTP/1.0", "POST / HTTP/1.1"])
def test_a_connection_that_ends_with_its_reply(browser: Browser, echo: Any, start: str) -> None:
    browser.send(repeat(echo, "last"), *(["Connection: close"] if start.endswith("1") else []), start=start)
    response = browser.receive()
    assert repeated(echo, response) == "last"
    assert response.fields["connection"] == "close"
    assert browser.has_ended()


def test_a_path_that_is_empty(browser: Browser, echo: Any) -> None:
    """As Apache's C++ client sends it, if it is not told one."""
    for text in ("first", "second"):
        browser.send(repeat(echo, text), start="POST  HTTP/1.1")
        assert repeated(echo, browser.receive()) == text


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("charset", ["", "; charset=utf-8"])
def test_the_content_type_of_a_protocol_comes_back(browser: Browser, echo: Any, protocol: str, charset: str) -> None:
    kind = f"application/vnd.apache.thrift.{protocol}"
    for named in (kind, kind.upper(), *(["application/json"] if protocol == "json" else [])):
        browser.send(repeat(echo, UNICODE, 1, protocol), f"Content-Type: {named}{charset}")
        response = browser.receive()
        assert repeated(echo, response, protocol) == UNICODE
        assert response.fields["content-type"] == named.lower()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_another_content_type_leaves_it_to_the_body(browser: Browser, echo: Any, protocol: str) -> None:
    for field in (["Content-Type: application/x-thrift"], ["Content-Type: text/plain"], []):
        browser.send(repeat(echo, "guess", 1, protocol), *field)
        response = browser.receive()
        assert repeated(echo, response, protocol) == "guess"
        assert response.fields["content-type"] == "application/x-thrift"


def preflight(browser: Browser, origin: str = ORIGIN) -> Response:
    fields = (
        f"Origin: {origin}",
        "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: content-type, x-request-id",
    )
    browser.send(b"", *fields, start="OPTIONS / HTTP/1.1")
    return browser.receive()


def test_a_page_of_the_origin_may_call(server: Server, browser: Browser, echo: Any) -> None:
    response = preflight(browser)
    assert (response.status, response.body) == (204, b"")
    assert response.fields["access-control-allow-origin"] == ORIGIN
    assert "POST" in response.fields["access-control-allow-methods"]
    assert response.fields["access-control-allow-headers"] == "content-type, x-request-id"
    assert response.fields["vary"] == "origin"
    with browse(server) as another:
        another.send(repeat(echo, "of a page"), f"Origin: {ORIGIN}")
        response = another.receive()
        assert repeated(echo, response) == "of a page"
        assert response.fields["access-control-allow-origin"] == ORIGIN


def test_a_page_of_another_origin_may_not(server: Server, browser: Browser, echo: Any) -> None:
    response = preflight(browser, "https://example.org")
    assert response.status == 405
    with browse(server) as another:
        another.send(repeat(echo, "of a page"), "Origin: https://example.org")
        response = another.receive()
        assert repeated(echo, response) == "of a page"
        assert not [name for name in response.fields if name.startswith("access-control")]


def test_no_page_or_every_one_may(echo: Any) -> None:
    for args, status, allowed in (([], 405, None), (["--http-cors", "*"], 204, "*")):
        with echo_server("--http", *args) as server, browse(server) as browser:
            response = preflight(browser)
            assert (response.status, response.fields.get("access-control-allow-origin")) == (status, allowed)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_what_is_no_call(server: Server, browser: Browser, method: str) -> None:
    browser.send(b"", start=f"{method} / HTTP/1.1")
    response = browser.receive(with_body=method != "HEAD")
    assert response.status == 405
    assert response.fields["allow"] == "POST, OPTIONS"
    assert method == "HEAD" or b"POST" in response.body
    assert browser.has_ended()


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large(browser: Browser, chunked: bool) -> None:
    body = bytes(MAX_FRAME + 1)
    if chunked:
        browser.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body), CHUNKED)
    else:
        browser.send(body)
    response = browser.receive()
    assert response.status == 413
    assert str(MAX_FRAME) in response.body.decode()
    assert browser.has_ended()


def test_a_size_that_is_too_large_is_refused_before_the_body(browser: Browser) -> None:
    browser.send(b"", "Expect: 100-continue", size=1 << 40)
    assert browser.receive().status == 413
    assert browser.has_ended()


@pytest.mark.parametrize(
    "request_",
    [
        b"POST / HTTP/9\r\n\r\n",
        b"POST / HTTP/1.1\r\nno field\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: one\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["version", "field", "length", "chunk", "no Thrift", "nothing"],
)
def test_what_cannot_be_read(browser: Browser, server: Server, request_: bytes) -> None:
    browser.connection.sendall(request_)
    response = browser.receive()
    assert (response.status, response.fields["connection"]) == (400, "close")
    assert response.fields["content-type"].startswith("text/plain")
    assert browser.has_ended()
    server.wait("bad_peer")


def test_a_head_without_end(browser: Browser) -> None:
    browser.connection.sendall(b"POST / HTTP/1.1\r\nX: " + b"x" * 70_000)
    assert browser.receive().status == 431
    assert browser.has_ended()


def test_what_was_asked_before_is_answered(browser: Browser, echo: Any) -> None:
    browser.send(repeat(echo, "before"))
    browser.connection.sendall(b"no HTTP\r\n\r\n")
    assert repeated(echo, browser.receive()) == "before"
    assert browser.receive().status == 400
    assert browser.has_ended()
