"""What is said of streams and frames in which nobody speaks who is served, by bytes that libraries really send."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import thriftpy2.protocol.apache_json
import thriftpy2.protocol.compact
import thriftpy2.protocol.json
import thriftpy2.thrift
from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.Thrift import TMessageType
from thrift.transport import TTransport
from thrift.transport.THeaderTransport import THeaderClientType
from thrift.transport.TZlibTransport import TZlibTransport
from thriftpy2.transport.memory import TMemoryBuffer
from thriftpy2.transport.sasl import TSaslClientTransport

from thriftserver.dialect.recognise import Refusal, recognise, recognise_frame
from thriftserver.wire import MAX_FRAME, Application

NAME, SEQID = "ping", 77
CLIENTS = {THeaderClientType.HEADERS, THeaderClientType.FRAMED_BINARY}


def refuse(stream: bytes) -> Refusal:
    """What a connection asks of a stream: about its start, or about a whole frame whose header it cannot read."""
    (length,) = struct.unpack_from(">i", stream)
    if 0 <= length <= MAX_FRAME:
        assert len(stream) >= 4 + length
        problem = recognise_frame(stream[4 : 4 + length])
        assert isinstance(problem, Refusal)
        return problem
    return recognise(stream, length, MAX_FRAME)


# Apache's library.

Make = Callable[[Any], Any]
APACHE: dict[str, tuple[Make, Make, str]] = {
    "zlib": (TZlibTransport, TBinaryProtocol, "Thrift compressed by zlib"),
    "framed zlib": (
        lambda trans: TZlibTransport(TTransport.TFramedTransport(trans)),
        TBinaryProtocol,
        "framed Thrift compressed by zlib",
    ),
    "framed twice": (
        lambda trans: TTransport.TFramedTransport(TTransport.TFramedTransport(trans)),
        lambda trans: TBinaryProtocol(trans, strictWrite=True),
        "a frame within a frame",
    ),
}


def apache_call(transport: Make, protocol: Make, kind: int = TMessageType.CALL, name: str = NAME) -> bytes:
    memory = TTransport.TMemoryBuffer()
    out = protocol(transport(memory))
    out.writeMessageBegin(name, kind, SEQID)
    out.writeStructBegin("ping_args")
    out.writeFieldStop()
    out.writeStructEnd()
    out.writeMessageEnd()
    out.trans.flush()
    return memory.getvalue()  # type: ignore[no-any-return]


@pytest.mark.parametrize("case", APACHE)
def test_apache_clients(case: str) -> None:
    transport, protocol, dialect = APACHE[case]
    problem = refuse(apache_call(transport, protocol))
    assert problem.dialect == dialect
    assert str(problem).startswith(f"the peer speaks {dialect}; ")
    assert problem.answer == b""


@pytest.mark.parametrize("case", APACHE)
def test_long_names_and_pieces_are_no_trouble(case: str) -> None:
    """Whatever a peer sends after what gives it away: one error, and an answer that is as short as always."""
    transport, protocol, _ = APACHE[case]
    for stream in (apache_call(transport, protocol, name="n" * 5000), apache_call(transport, protocol)):
        for end in range(4, min(len(stream), 60)):
            (length,) = struct.unpack_from(">i", stream)
            piece = stream[4:end] if 0 <= length <= MAX_FRAME else stream[:end]
            for problem in (recognise(piece, -1, 100), recognise_frame(piece)):
                assert isinstance(problem, Refusal)
                assert len(problem.answer) < 1000


# thriftpy2.


class NoArguments(thriftpy2.thrift.TPayload):
    thrift_spec: ClassVar[dict[int, Any]] = {}
    default_spec: ClassVar[list[Any]] = []


def framed(protocol: Make, message: Callable[[Any], None]) -> bytes:
    from thriftpy2.transport.framed import TFramedTransport

    memory = TMemoryBuffer()
    out = protocol(TFramedTransport(memory))
    message(out)
    out.trans.flush()
    return memory.getvalue()  # type: ignore[no-any-return]


def bare(protocol: Make, message: Callable[[Any], None]) -> bytes:
    memory = TMemoryBuffer()
    message(protocol(memory))
    return memory.getvalue()  # type: ignore[no-any-return]


def call(out: Any) -> None:
    out.write_message_begin(NAME, thriftpy2.thrift.TMessageType.CALL, SEQID)
    out.write_struct(NoArguments())
    out.write_message_end()


@pytest.mark.parametrize(
    ("stream", "dialect", "protocol", "prefix"),
    [
        (
            bare(thriftpy2.protocol.json.TJSONProtocol, call),
            "thriftpy2's JSON",
            thriftpy2.protocol.json.TJSONProtocol,
            0,
        ),
        (
            framed(thriftpy2.protocol.json.TJSONProtocol, call),
            "thriftpy2's JSON in frames",
            thriftpy2.protocol.json.TJSONProtocol,
            4,
        ),
    ],
)
def test_thriftpy2_clients(stream: bytes, dialect: str, protocol: Make, prefix: int) -> None:
    problem = refuse(stream)
    assert problem.dialect == dialect
    if prefix:
        assert struct.unpack_from(">i", problem.answer)[0] == len(problem.answer) - 4
    reply = protocol(TMemoryBuffer(problem.answer[prefix:]))
    name, kind, seqid = reply.read_message_begin()
    assert (name, kind, seqid) == (NAME, thriftpy2.thrift.TMessageType.EXCEPTION, SEQID)
    error = thriftpy2.thrift.TApplicationException()
    reply.read_struct(error)
    assert (error.message, error.type) == (str(problem), Application.INVALID_PROTOCOL)


class Mechanism:
    """As much of a SASL client as its transport needs."""

    def start(self, _mechanisms: str) -> tuple[bool, str, bytes]:
        return True, "PLAIN", b"\0user\0password"


class Wire(TMemoryBuffer):  # type: ignore[misc]
    """Takes what is written; answers with ``reply``."""

    reply = b""

    def open(self) -> None:
        pass

    def is_open(self) -> bool:
        return False

    def flush(self) -> None:
        sent = self.getvalue()
        self.reply = self.reply or refuse(sent).answer

    def read(self, size: int) -> bytes:
        piece, self.reply = self.reply[:size], self.reply[size:]
        return piece


def test_sasl_clients_read_why() -> None:
    transport = TSaslClientTransport(Mechanism, "PLAIN", Wire())
    with pytest.raises(Exception, match=r"speaks Thrift over SASL; .*NOSASL"):
        transport.open()


# Everybody else.


@pytest.mark.parametrize(
    ("stream", "dialect"),
    [
        (b"GET / HTTP/1.1\r\n", "HTTP"),
        (b"POST /x HTTP/1.1\r\n", "HTTP"),
        (b"PROPFIND /x HTTP/1.1\r\n", "HTTP"),
        (b"OPTI", "HTTP"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/2"),
        (b"\x16\x03\x01\x02\x00\x01\x00", "a TLS handshake"),
        (b"\x01\x00\x00\x00", "Thrift over SASL"),
        (b"\x01\x00\x00\x00\x06GSSAPI\x02\x00\x00\x00\x00", "Thrift over SASL"),
        (b"*1\r\n$4\r\nPING\r\n", "the protocol of Redis"),
        (b"PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n", "the PROXY protocol"),
        (b"\r\n\r\n\0\r\nQUIT\n!\x11", "the PROXY protocol"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "SSH"),
        (b'{"jsonrpc": "2.0"}', "JSON"),
        (b"PING\r\n", "text"),
        (b"stats\r\n", "text"),
        (struct.pack(">i", MAX_FRAME + 1) + bytes(101), "oversize"),
        (b"    \x80\x01\x00\x01", "oversize"),
        (b"\xff\xff\xff\xff", ""),
        (b"\0\0\0\x20\x10\x00\x00\x00\0\0\0\x01\0\x02" + bytes(22), "TTHeader"),
        (b"\0\0\0\x20\xff\xaf" + bytes(30), "the mesh header of Kitex"),
        (b'\0\0\0\x10{"method": "a"} ', "JSON"),
        (b"\0\0\0\x08\x04\xd2\x16\x2f" + bytes(4), ""),
        (b"\0\0\0\0", ""),
    ],
)
def test_what_is_no_thrift_is_named(stream: bytes, dialect: str) -> None:
    problem = refuse(stream)
    assert problem.dialect == dialect
    assert (problem.answer[:12] == b"HTTP/1.1 400") == (dialect == "HTTP")


@pytest.mark.parametrize(
    ("stream", "said"),
    [
        (b"\xff\xff\xff\xfe\0\x01", "length is negative (-2): the peer sent ff ff ff fe 00 01"),
        (b"stats\r\n", "larger than max-frame (16384000); or it is no frame: the peer sent 73 74"),
        (b"stats\r\n", "'stats\\r\\n'"),
        (
            struct.pack(">i", MAX_FRAME + 1) + b"\0",
            f"a frame of {MAX_FRAME + 1} bytes is larger than max-frame (16384000)",
        ),
        (
            b"\0\0\0\x04\xde\xad\xbe\xef",
            "bad message header: version 0xdeadbeef is not 0x8001....; the frame of 4 bytes",
        ),
        (b"\0\0\0\x04\xde\xad\xbe\xef", "begins with de ad be ef"),
        (b"\0\0\0\0", "the frame of 0 bytes begins with nothing"),
        (b"\0\0\0\x06\x80\x01\0\x01\0\0", "bad message header: truncated"),
    ],
)
def test_the_first_bytes_of_what_nobody_knows_are_told(stream: bytes, said: str) -> None:
    assert said in str(refuse(stream))
