"""What goes along with a message: info headers of THeader, header fields of HTTP; and how THeader packs it."""

from __future__ import annotations

import signal
import socket
import struct
import zlib
from typing import Any, BinaryIO

import pytest
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.protocol.THeaderProtocol import THeaderProtocol
from thrift.Thrift import TApplicationException
from thrift.transport.THeaderTransport import THeaderClientType, THeaderSubprotocolID, THeaderTransformID
from thrift.transport.THttpClient import THttpClient
from thrift.transport.TTransport import TMemoryBuffer

from tests.dialect.conftest import MAX_FRAME
from tests.harness import PATIENCE, Server
from tests.interop import dialects
from tests.interop.counterparts import apache_protocol
from tests.interop.scenarios import UNICODE
from thriftserver.dialect.table import BY_NAME
from thriftserver.wire import Application

HEADERS = {THeaderClientType.HEADERS}


@pytest.mark.parametrize("dialect", dialects.APACHE)
def test_a_call_knows_its_dialect(server: Server, echo: Any, dialect: str) -> None:
    with apache_protocol(server.host, server.port, dialect) as protocol:
        client = echo.Client(protocol)
        (spoken,) = {client.dialect() for _ in range(3)}
        assert spoken == next(name for name in BY_NAME if dialect.startswith(name))
        if spoken not in ("header", "http"):
            assert client.headers({"this": "has no place here"}) == {}


@pytest.mark.parametrize("dialect", [each for each in dialects.APACHE if each.startswith("header")])
def test_info_headers(server: Server, echo: Any, dialect: str) -> None:
    with apache_protocol(server.host, server.port, dialect) as protocol:
        client = echo.Client(protocol)
        assert client.headers({}) == {}
        assert protocol.get_headers() == {}
        sent = {"caller": "orders", "Name": UNICODE, "": "", "long": "x" * 10_000}
        for key, value in sent.items():
            protocol.set_header(key.encode(), value.encode())
        reply = {"served-by": "echo", UNICODE: UNICODE, "empty": "", "number": "1" * 200}
        assert client.headers(reply) == sent
        assert protocol.get_headers() == {key.encode(): value.encode() for key, value in reply.items()}
        # Each is of one message: the library forgets what it has sent, and so does the server.
        assert client.headers({}) == {}
        assert protocol.get_headers() == {}


def test_what_is_no_utf8_in_an_info_header(server: Server, echo: Any) -> None:
    with apache_protocol(server.host, server.port, "header-binary") as protocol:
        protocol.set_header(b"id", b"\xff\0")
        assert echo.Client(protocol).headers({}) == {"id": "\\xff\0"}


@pytest.mark.parametrize("protocol", ["binary", "compact", "json"])
def test_header_fields_of_http(server: Server, echo: Any, protocol: str) -> None:
    with apache_protocol(server.host, server.port, f"http-{protocol}") as spoken:
        http: THttpClient = spoken.trans._TBufferedTransport__trans
        http.setCustomHeaders({"X-Request-ID": "4711", "User-Agent": "tests"})
        headers = echo.Client(spoken).headers({"X-Served-By": "echo"})
        assert headers["x-request-id"] == "4711"
        assert headers["user-agent"] == "tests"
        assert headers["host"].startswith("127.0.0.1")
        assert headers["content-type"] == "application/x-thrift"
        assert all(name == name.lower() for name in headers)
        assert (http.code, http.headers["x-served-by"]) == (200, "echo")


@pytest.mark.parametrize("header", [("bad name", "x"), ("x", "a\r\nSet-Cookie: b"), ("Content-Length", "1")])
def test_header_fields_that_are_none_do_not_leave(server: Server, echo: Any, header: tuple[str, str]) -> None:
    with apache_protocol(server.host, server.port, "http-binary") as spoken:
        with pytest.raises(TApplicationException) as caught:
            echo.Client(spoken).headers(dict([header]))
        assert caught.value.type == Application.INTERNAL_ERROR
        assert "internal error, id " in caught.value.message
        assert echo.Client(spoken).dialect() == "http"


def test_info_headers_that_are_too_large_do_not_leave(server: Server, echo: Any) -> None:
    with apache_protocol(server.host, server.port, "header-binary") as spoken:
        with pytest.raises(TApplicationException) as caught:
            echo.Client(spoken).headers({"x": "x" * 300_000})
        assert caught.value.type == Application.INTERNAL_ERROR
        assert echo.Client(spoken).dialect() == "header"


def packed(echo: Any, inside: int = THeaderSubprotocolID.BINARY, transforms: int = 0) -> bytes:
    """A call of ``repeat`` as Apache's library packs it, transformed that many times."""
    memory = TMemoryBuffer()
    protocol = THeaderProtocol(memory, HEADERS, inside)
    for _ in range(transforms):
        protocol.add_transform(THeaderTransformID.ZLIB)
    echo.Client(protocol).send_repeat("abc", 1000)
    return memory.getvalue()  # type: ignore[no-any-return]


def exchange(server: Server, request: bytes, hang_up: bool = False) -> bytes:
    """The frame that a request is answered with; with ``hang_up``, after which the server hangs up."""
    with socket.create_connection((server.host, server.port), PATIENCE) as connection:
        connection.sendall(request)
        with connection.makefile("rb") as stream:
            frame = receive(stream)
            assert not hang_up or stream.read() == b""
    return frame


def receive(stream: BinaryIO) -> bytes:
    length = stream.read(4)
    return length + stream.read(*struct.unpack(">i", length))


def content(frame: bytes, seqid: int = 0) -> tuple[bytes, bytes]:
    """What stands behind the head's fixed part, and the content."""
    magic, flags, number, words = struct.unpack_from(">HHiH", frame, 4)
    assert (magic, flags, number) == (0x0FFF, 0, seqid)
    return frame[14 : 14 + 4 * words], frame[14 + 4 * words :]


@pytest.mark.parametrize("times", [0, 1, 2, 3])
@pytest.mark.parametrize("inside", [THeaderSubprotocolID.BINARY, THeaderSubprotocolID.COMPACT], ids=["bin", "compact"])
def test_a_reply_is_packed_as_its_request(server: Server, echo: Any, inside: int, times: int) -> None:
    """A client that adds its transform before each call has it many times."""
    head, data = content(exchange(server, packed(echo, inside, times)))
    assert head[: 2 + times] == bytes((inside, times, *[THeaderTransformID.ZLIB] * times))
    for _ in range(times):
        assert len(data) < 200
        data = zlib.decompress(data)
    protocol = {THeaderSubprotocolID.BINARY: TBinaryProtocol, THeaderSubprotocolID.COMPACT: TCompactProtocol}[inside]
    assert echo.Client(protocol(TMemoryBuffer(data))).recv_repeat() == "abc" * 1000


def refused(server: Server, echo: Any, request: bytes) -> TApplicationException:
    """What Apache's library makes of the answer, after which the server hangs up."""
    answer = exchange(server, request, hang_up=True)
    with pytest.raises(TApplicationException) as caught:
        echo.Client(THeaderProtocol(TMemoryBuffer(answer), HEADERS)).recv_repeat()
    server.wait("bad_peer")
    return caught.value


def with_head(head: bytes, data: bytes) -> bytes:
    assert len(head) % 4 == 0
    fixed = struct.pack(">HHiH", 0x0FFF, 0, 7, len(head) // 4)
    return struct.pack(">i", len(fixed + head + data)) + fixed + head + data


@pytest.mark.parametrize("transform", [0, 2, 3, 99])
def test_an_unknown_transform_is_answered(server: Server, echo: Any, transform: int) -> None:
    error = refused(server, echo, with_head(bytes((0, 1, transform, 0)), b"whatever it does"))
    assert (error.type, f"transform {transform} " in error.message) == (Application.INVALID_TRANSFORM, True)


@pytest.mark.parametrize("head", [bytes((9, 0, 0, 0)), bytes((9, 1, 99, 0)), bytes((0x80, 0x7D, 0, 0))])
def test_an_unknown_protocol_is_answered(server: Server, echo: Any, head: bytes) -> None:
    error = refused(server, echo, with_head(head, b"whatever it is"))
    assert error.type == Application.INVALID_PROTOCOL


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (zlib.compress(bytes(64 << 20)), f"larger than max-frame ({MAX_FRAME})"),
        (zlib.compress(b"x" * 1000)[:-6], "ends too early"),
        (b"no zlib", "no zlib"),
        (b"", "ends too early"),
    ],
    ids=["bomb", "cut", "wrong", "empty"],
)
def test_content_that_cannot_be_unpacked_is_answered(server: Server, echo: Any, data: bytes, problem: str) -> None:
    error = refused(server, echo, with_head(bytes((0, 1, THeaderTransformID.ZLIB, 0)), data))
    assert problem in error.message


def test_transforms_without_end_are_answered(server: Server, echo: Any) -> None:
    many = bytes((0, 0xFC, 0x07)) + bytes((THeaderTransformID.ZLIB,)) * 1020
    error = refused(server, echo, with_head(many.ljust(-(-len(many) // 4) * 4, b"\0"), zlib.compress(b"x")))
    assert "head of THeader" in error.message


@pytest.mark.parametrize(
    "head",
    [
        bytes((0, 0, 1, 5)),
        bytes((0, 0, 1, 1, 100, 65, 0, 0)),
        b"\xff" * 8,
        b"\xff\xff\xff\xff\x0f\0\0\0",
        bytes((0, 5, 1, 1)),
        bytes((0, 2, 99, 0x80)),
    ],
    ids=["no pair", "long text", "no varint", "large protocol", "no transforms", "half a transform"],
)
def test_a_head_that_cannot_be_read_is_answered(server: Server, echo: Any, head: bytes) -> None:
    error = refused(server, echo, with_head(head, b""))
    assert (error.type, "head of THeader" in error.message) == (Application.PROTOCOL_ERROR, True)


def test_a_head_that_is_longer_than_its_frame_is_answered(server: Server, echo: Any) -> None:
    error = refused(server, echo, struct.pack(">iHHiH", 14, 0x0FFF, 0, 7, 1000) + bytes(4))
    assert "4000 bytes" in error.message


def test_a_head_as_before_that_claims_more(server: Server, echo: Any) -> None:
    """The second frame ends behind the words that the first one had, too."""
    first = packed(echo)
    fixed = struct.pack(">HHiH", 0x0FFF, 0, 7, 2)
    second = struct.pack(">i", len(fixed) + 4) + fixed + first[14:18]
    connection = socket.create_connection((server.host, server.port), PATIENCE)
    with connection, connection.makefile("rb") as stream:
        connection.sendall(first + second)
        assert content(receive(stream))[0] == first[14:18]
        assert b"8 bytes" in content(receive(stream), seqid=7)[1]
        assert stream.read() == b""


def lasting(*pairs: bytes) -> bytes:
    """A head of a binary message with info headers that are meant for all that follow, too (fbthrift's second kind)."""
    head = bytes((0, 0, 2, len(pairs) // 2)) + b"".join(bytes((len(text),)) + text for text in pairs)
    return head + bytes(-len(head) % 4)


def test_info_headers_that_last(server: Server, echo: Any) -> None:
    """Also in another process: the connection is handed over with them."""
    caller = "orders\n\té"
    memory = TMemoryBuffer()
    echo.Client(TBinaryProtocol(memory)).send_headers({})
    connection = socket.create_connection((server.host, server.port), PATIENCE)
    with connection, connection.makefile("rb") as stream:
        for head, expected in (
            (lasting(b"caller", caller.encode()).rstrip(b"\0") + b"\x01\x01\x04once\x03yes", {"once": "yes"}),
            (bytes(4), {}),
            (bytes(4), {}),
        ):
            connection.sendall(with_head(head + bytes(-len(head) % 4), memory.getvalue()))
            _, data = content(receive(stream), seqid=7)
            assert echo.Client(TBinaryProtocol(TMemoryBuffer(data))).recv_headers() == {"caller": caller, **expected}
            gone = len(server.found("worker_exit"))
            server.signal(signal.SIGHUP)
            server.wait("worker_exit", gone + 1)


def test_info_headers_that_last_are_bounded(server: Server, echo: Any) -> None:
    memory = TMemoryBuffer()
    echo.Client(TBinaryProtocol(memory)).send_headers({})
    connection = socket.create_connection((server.host, server.port), PATIENCE)
    with connection, connection.makefile("rb") as stream:
        for number in range(257):
            connection.sendall(with_head(lasting(b"%d" % number, b"x"), memory.getvalue()))
            assert (b"are to last" in content(receive(stream), seqid=7)[1]) == (number == 256)
        assert stream.read() == b""
