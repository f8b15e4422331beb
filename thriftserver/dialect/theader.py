"""Apache's header transport: frames with a head of their own, which names the protocol, transforms and info headers.

The head, behind the frame's length::

    0x0fff | flags (2 bytes) | number of the message (4) | words in what follows (2)
    protocol | how many transforms | transforms | infos ... | zeros up to the next word

Numbers in the second line are varints. Source: Apache Thrift's doc/specs/HeaderFormat.md and its libraries. One source:
it runs on plain CPython, and Cython compiles it, with ``_theader.pxd``, into the module ``_theader``.
"""

from __future__ import annotations

import json
import zlib
from typing import Any

from thriftserver.codec.protocols import protocol
from thriftserver.dialect.recognise import Refusal
from thriftserver.errors import EncodeError, WireError
from thriftserver.wire import EXCEPTION, Application

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if not cython.compiled:
    from thriftserver.codec.header import Header
    from thriftserver.codec.memory import Sink, finish, new_source, patch, put_front, sink_of, waiting
    from thriftserver.codec.protocol import Protocol
    from thriftserver.dialect.recognise import begins_at, seqid_of, words_of
    from thriftserver.dialect.transport import Framed

_MAGIC = b"\x0f\xff"
#: The protocols by their numbers here.
_PROTOCOLS = {
    0: protocol("binary", cython.compiled),
    1: protocol("tjson", cython.compiled),
    2: protocol("compact", cython.compiled),
}
_NUMBERS = {each.name: number for number, each in _PROTOCOLS.items()}
_ZLIB = 1
#: Kinds of infos: of one message, and of all that follow on the connection (fbthrift's).
_INFOS, _LASTING = 1, 2
#: Bytes that a head has at most, and transforms and info headers that it may have. A client that asks its library for
#: zlib before each call has it once more in each.
_MOST_HEAD, _MOST_TRANSFORMS, _MOST_INFOS = 65_536, 16, 256

#: Bytes of the first line, with the length.
_HEAD = 14
_MOST_VARINT = (1 << 31) - 1


class Packing:
    """What a head says beside the number of the message; most messages of a connection have the same.

    ``front`` is what stands before a reply without infos, but for its length and number.
    """

    __slots__ = ("front", "infos", "lasting", "protocol", "transforms")

    def __init__(self) -> None:
        self.front = b""
        self.protocol = 0
        self.transforms: list[int] = []
        self.infos: dict[str, str] = {}
        self.lasting: dict[str, str] = {}


class THeader(Framed):
    """The transport of one connection; ``lasting`` are info headers that are the same for all its messages.

    ``words`` are the bytes of the head that was read last, and ``packing`` what they say.
    """

    __slots__ = ("asking", "lasting", "packing", "words")

    def __init__(self, name: str, number: int, first: Protocol, limit: int) -> None:
        Framed.__init__(self, name, number, first, limit)
        self.lasting: dict[str, str] = {}
        self.words = b""
        self.packing: Packing | None = None
        #: Of the calls that are made in this transport, if any are.
        self.asking: Packing | None = None

    def ask(self, name: str, kind: int, seqid: int) -> Header:
        header = Framed.ask(self, name, kind, seqid)
        if self.asking is None:
            self.asking = Packing()
            self.asking.protocol = _NUMBERS[self.protocol.name]
        header.packing = self.asking
        header.number = seqid
        return header

    def open(self, data: bytes) -> Header:
        if len(data) < _HEAD or not begins_at(data, 4, _MAGIC):
            raise Refusal("a frame without the head that THeader has")
        seqid = seqid_of(data)
        end = _HEAD + 4 * words_of(data)
        packing = self.packing
        if packing is None or end - _HEAD != len(self.words) or not begins_at(data, _HEAD, self.words):
            packing = self.read_head(data, end, seqid)
        spoken: Protocol = _PROTOCOLS[packing.protocol]
        source = new_source(data, end)
        if packing.transforms:
            source = new_source(self.unpacked(packing, data[end:], seqid), 0)
        try:
            header = spoken.take_header(source)
        except WireError as problem:
            raise self.refusal(packing, seqid, str(problem), problem.type) from None
        if packing.infos or self.lasting:
            header.infos = {**self.lasting, **packing.infos}
        header.packing = packing
        header.number = seqid
        return header

    def refuse(self, start: bytes) -> Refusal:
        problem = Framed.refuse(self, start)
        if not problem.answer and len(start) >= _HEAD:  # what is inside cannot be read, but the number outside can
            problem.answer = self.refusal(Packing(), seqid_of(start), str(problem), problem.type).answer
        return problem

    def memory(self) -> str:
        return json.dumps(self.lasting) if self.lasting else ""

    def recall(self, memory: str) -> None:
        self.lasting = json.loads(memory)

    def read_head(self, data: bytes, end: int, seqid: int) -> Packing:
        if end > len(data) or end > _MOST_HEAD:
            raise self.refusal(Packing(), seqid, f"the head of THeader claims to have {end - _HEAD} bytes")
        words = data[_HEAD:end]
        packing = Packing()
        try:
            _read_words(packing, words)
        except (IndexError, ValueError):
            raise self.refusal(Packing(), seqid, "the head of THeader cannot be read") from None
        if packing.protocol not in _PROTOCOLS:
            problem = "THeader names a protocol that is not known"
            raise self.refusal(Packing(), seqid, problem, Application.INVALID_PROTOCOL)
        if packing.lasting:
            self.keep(packing, seqid)
        self.words = words
        self.packing = packing
        return packing

    def keep(self, packing: Packing, seqid: int) -> None:
        """Keep what is for all messages that follow; what many messages bring is bounded as what one does."""
        lasting = {**self.lasting, **packing.lasting}
        if len(lasting) > _MOST_INFOS or sum(len(key) + len(lasting[key]) for key in lasting) > _MOST_HEAD:
            problem = f"more than {_MOST_INFOS} info headers, or {_MOST_HEAD} bytes of them, are to last"
            raise self.refusal(packing, seqid, problem)
        self.lasting = lasting

    def wrap(self, header: Header, reply: Sink | None, infos: Any) -> Sink | None:
        if reply is None:
            return None
        packing: Packing = header.packing
        for _ in packing.transforms:
            reply = sink_of(zlib.compress(finish(reply)))
        front = packing.front
        if infos or not front:
            front = _write_front(packing, infos)
            if not infos:
                packing.front = front
        if not put_front(reply, front):
            reply = sink_of(front + finish(reply))
        patch(reply, 0, waiting(reply) - 4)
        patch(reply, 8, header.number)
        return reply

    def unpacked(self, packing: Packing, content: bytes, seqid: int) -> bytes:
        """What the transforms were applied to."""
        for transform in packing.transforms:
            if transform != _ZLIB:
                problem = f"transform {transform} of THeader is not known; zlib ({_ZLIB}) is"
                raise self.refusal(Packing(), seqid, problem, Application.INVALID_TRANSFORM)
            content = self.inflated(packing, content, seqid)
        return content

    def inflated(self, packing: Packing, content: bytes, seqid: int) -> bytes:
        """What zlib has made smaller; never more than a message may have."""
        inflater = zlib.decompressobj()
        try:
            made = inflater.decompress(content, self.limit + 1)
        except zlib.error:
            raise self.refusal(packing, seqid, "the content is no zlib", Application.INVALID_TRANSFORM) from None
        if len(made) > self.limit:
            raise self.refusal(packing, seqid, f"unpacked, the message is larger than max-frame ({self.limit})")
        if not inflater.eof:
            raise self.refusal(packing, seqid, "the zlib content ends too early", Application.INVALID_TRANSFORM)
        return made

    def refusal(
        self, packing: Packing, seqid: int, message: str, type: Application = Application.PROTOCOL_ERROR
    ) -> Refusal:
        """A problem with an answer: whose call it was cannot be read, but its number can."""
        problem = Refusal(message)
        problem.type = type
        spoken: Protocol = _PROTOCOLS.get(packing.protocol, self.protocol)
        header = Header("", EXCEPTION, seqid)
        header.packing = packing
        header.number = seqid
        answer = self.wrap(header, spoken.put_error(header, type, message), None)
        problem.answer = b"" if answer is None else finish(answer)
        return problem


def _read_words(packing: Packing, data: bytes) -> None:
    """Raises IndexError or ValueError for what cannot be read."""
    packing.protocol, at = _varint(data, 0)
    count, at = _varint(data, at)
    if count > _MOST_TRANSFORMS:
        raise ValueError
    for _ in range(count):
        transform, at = _varint(data, at)
        packing.transforms.append(transform)
    while at < len(data):
        kind, at = _varint(data, at)
        if kind not in (_INFOS, _LASTING):
            return  # padding, or what is not known, whose end nobody could tell
        infos = packing.infos if kind == _INFOS else packing.lasting
        count, at = _varint(data, at)
        if count > _MOST_INFOS:
            raise ValueError
        for _ in range(count):
            key, at = _text(data, at)
            infos[key], at = _text(data, at)


def _write_front(packing: Packing, infos: dict[str, str] | None) -> bytes:
    """What stands before a reply, its length and number still zero."""
    content = bytearray((packing.protocol, len(packing.transforms), *packing.transforms))
    if infos:
        content += _put_varint(_INFOS) + _put_varint(len(infos))
        for pair in infos.items():
            for text in pair:
                data = str(text).encode("utf-8", "backslashreplace")
                content += _put_varint(len(data)) + data
    content += bytes(-len(content) % 4)
    if len(content) > _MOST_HEAD:
        raise EncodeError(f"info headers of {len(content)} bytes; {_MOST_HEAD} is the most")
    return bytes(4) + _MAGIC + bytes(6) + (len(content) // 4).to_bytes(2, "big") + content


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(5):
        value |= (data[at + place] & 127) << 7 * place
        if data[at + place] < 128 and value <= _MOST_VARINT:
            return value, at + place + 1
    raise ValueError


def _put_varint(number: int) -> bytes:
    made = bytearray()
    while number > 127:
        made.append(number & 127 | 128)
        number >>= 7
    return bytes((*made, number))


def _text(data: bytes, at: int) -> tuple[str, int]:
    size, at = _varint(data, at)
    if at + size > len(data):
        raise ValueError
    return data[at : at + size].decode("utf-8", "backslashreplace"), at + size
