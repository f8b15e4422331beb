"""Every dialect as Apache's Python library speaks it, into bytes and out of bytes: calls of the demo service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from thrift.protocol.TBinaryProtocol import TBinaryProtocol
from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.protocol.THeaderProtocol import THeaderProtocol
from thrift.protocol.TJSONProtocol import TJSONProtocol
from thrift.protocol.TProtocol import TProtocolException
from thrift.Thrift import TApplicationException, TMessageType, TType
from thrift.transport.THeaderTransport import THeaderClientType, THeaderSubprotocolID, THeaderTransformID
from thrift.transport.TTransport import TFramedTransport, TMemoryBuffer

from thriftserver.wire import CALL, EXCEPTION

Make = Callable[[Any], Any]


class Reply(NamedTuple):
    """What came back: the result of ``add``, or the message and type of a TApplicationException."""

    name: str
    kind: int
    seqid: int
    value: Any
    type: int | None
    size: int
    """Bytes that it had, with all that it was packed in."""


class Voice:
    """``dialect`` is the server's name for it; ``http`` is the content type where the message travels in a POST."""

    def __init__(self, dialect: str, protocol: Make, transport: Make = lambda memory: memory, http: str = "") -> None:
        self.dialect = dialect
        self._protocol = protocol
        self._transport = transport
        self._http = http

    def add(self, a: int, b: int, seqid: int = 1, kind: int = CALL, name: str = "add") -> bytes:
        """A call as it goes over the wire."""
        return self.message(name, kind, seqid, [(1, TType.I32, a), (2, TType.I32, b)])

    def note(self, text: str, seqid: int = 1) -> bytes:
        return self.message("note", TMessageType.ONEWAY, seqid, [(1, TType.STRING, text)])

    def message(self, name: str, kind: int, seqid: int, fields: list[tuple[int, int, Any]]) -> bytes:
        memory = TMemoryBuffer()
        out = self._protocol(self._transport(memory))
        out.writeMessageBegin(name, kind, seqid)
        out.writeStructBegin("args")
        for id, type, value in fields:
            out.writeFieldBegin("", type, id)
            (out.writeI32 if type == TType.I32 else out.writeString)(value)
            out.writeFieldEnd()
        out.writeFieldStop()
        out.writeStructEnd()
        out.writeMessageEnd()
        out.trans.flush()
        body: bytes = memory.getvalue()
        if not self._http:
            return body
        head = f"POST / HTTP/1.1\r\nHost: x\r\nContent-Type: {self._http}\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body

    def reply(self, data: bytes) -> Reply | None:
        """The first reply in what was received; None when it is not whole."""
        if self._http:
            head, end, body = data.partition(b"\r\n\r\n")
            fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:])
            if not end or len(body) < (size := int(fields[b"content-length"])):
                return None
            assert head.startswith(b"HTTP/1.1 200"), data
            assert fields[b"content-type"] == self._http.encode()
            found = self._read(body[:size])
            return found and found._replace(size=len(head) + 4 + size)
        return self._read(data)

    def _read(self, data: bytes) -> Reply | None:
        memory = TMemoryBuffer(data)
        try:
            return self._take(self._protocol(self._transport(memory)), memory)
        except (EOFError, IndexError):  # the second is THeader's, of nothing
            return None
        except TProtocolException as error:
            if str(error.message) != "Unexpected character: b''":  # JSON's way to say that there is no more
                raise
            return None

    def _take(self, source: Any, memory: Any) -> Reply:
        name, kind, seqid = source.readMessageBegin()
        value = type = None
        if kind == EXCEPTION:
            error = TApplicationException()
            error.read(source)
            value, type = error.message, error.type
        else:
            source.readStructBegin()
            while source.readFieldBegin()[1] != TType.STOP:
                value = source.readI32()
                source.readFieldEnd()
            source.readStructEnd()
        source.readMessageEnd()
        return Reply(name, kind, seqid, value, type, memory._buffer.tell())


def _old(trans: Any) -> Any:
    return TBinaryProtocol(trans, strictRead=False, strictWrite=False)


def _header(protocol: int, *transforms: int) -> Make:
    def make(trans: Any) -> Any:
        made = THeaderProtocol(trans, {THeaderClientType.HEADERS}, protocol)
        for each in transforms:
            made.add_transform(each)
        return made

    return make


VOICES = {
    "framed binary": Voice("framed-binary", TBinaryProtocol, TFramedTransport),
    "framed old binary": Voice("framed-binary", _old, TFramedTransport),
    "framed compact": Voice("framed-compact", TCompactProtocol, TFramedTransport),
    "framed json": Voice("framed-json", TJSONProtocol, TFramedTransport),
    "unframed binary": Voice("unframed-binary", TBinaryProtocol),
    "unframed old binary": Voice("unframed-binary", _old),
    "unframed compact": Voice("unframed-compact", TCompactProtocol),
    "unframed json": Voice("unframed-json", TJSONProtocol),
    "header": Voice("header", _header(THeaderSubprotocolID.BINARY)),
    "header compact": Voice("header", _header(THeaderSubprotocolID.COMPACT)),
    "header zlib": Voice("header", _header(THeaderSubprotocolID.BINARY, THeaderTransformID.ZLIB)),
    "http": Voice("http", TBinaryProtocol, http="application/x-thrift"),
    "http compact": Voice("http", TCompactProtocol, http="application/vnd.apache.thrift.compact"),
    "http json": Voice("http", TJSONProtocol, http="application/vnd.apache.thrift.json"),
}
