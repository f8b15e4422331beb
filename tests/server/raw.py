"""A peer that can say anything: bytes over a socket, and what comes back, as the tests of this folder see it."""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple, Self

from tests.harness import PATIENCE, Listening

CALL, REPLY, EXCEPTION, ONEWAY = 1, 2, 3, 4


class Answer(NamedTuple):
    """A framed reply. ``type`` and ``message`` are those of a TApplicationException, when it is one."""

    kind: int
    name: str
    seqid: int
    body: bytes
    type: int | None = None
    message: str = ""


class Peer:
    """One connection."""

    def __init__(self, server: Listening) -> None:
        self.sock = socket.create_connection((server.host, server.port), PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    @property
    def name(self) -> str:
        host, port = self.sock.getsockname()[:2]
        return f"{host}:{port}"

    def reset(self) -> None:
        """Be gone for good, which the server is told at once; what it sees of ``close`` may be a half-closed stream."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (chunk := self.sock.recv(size - len(data))):
            data += chunk
        return data

    def answer(self) -> Answer | None:
        """The next frame, None at the end of the stream."""
        head = self.exactly(4)
        if not head:
            return None
        frame = self.exactly(struct.unpack(">i", head)[0])
        if frame[0] == 0x80:
            kind = frame[3]
            (size,) = struct.unpack_from(">i", frame, 4)
            name, at = frame[8 : 8 + size], 8 + size
        else:
            (size,) = struct.unpack_from(">i", frame)
            name, kind, at = frame[4 : 4 + size], frame[4 + size], 5 + size
        (seqid,) = struct.unpack_from(">i", frame, at)
        body = frame[at + 4 :]
        if kind != EXCEPTION:
            return Answer(kind, name.decode(), seqid, body)
        (length,) = struct.unpack_from(">i", body, 3)
        text, rest = body[7 : 7 + length], body[7 + length :]
        return Answer(kind, name.decode(), seqid, body, struct.unpack_from(">i", rest, 3)[0], text.decode())

    def ask(self, data: bytes) -> Answer | None:
        self.send(data)
        return self.answer()

    def rest(self) -> bytes:
        """All that comes until the server hangs up; a reset counts as that."""
        data = b""
        try:
            while chunk := self.sock.recv(65536):
                data += chunk
        except ConnectionResetError:
            pass
        return data


def framed(data: bytes) -> bytes:
    return struct.pack(">i", len(data)) + data


def message(name: bytes | str, body: bytes = b"\0", kind: int = CALL, seqid: int = 7) -> bytes:
    """A framed message with a strict header."""
    name = name.encode() if isinstance(name, str) else name
    return framed(struct.pack(">Hxbi", 0x8001, kind, len(name)) + name + struct.pack(">i", seqid) + body)


def old_message(name: str, body: bytes = b"\0", kind: int = CALL, seqid: int = 7) -> bytes:
    """The same with an old header."""
    return framed(struct.pack(">i", len(name)) + name.encode() + struct.pack(">bi", kind, seqid) + body)


def field(wire: int, id: int, data: bytes) -> bytes:
    return struct.pack(">bh", wire, id) + data


def i32(number: int) -> bytes:
    return struct.pack(">i", number)


def text(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return i32(len(data)) + data


def add(a: int, b: int) -> bytes:
    """The arguments of ``add(1: i32 a, 2: i32 b)``."""
    return field(8, 1, i32(a)) + field(8, 2, i32(b)) + b"\0"


def note(server: Listening, what: str) -> None:
    """Tell the demo service something that it does not answer."""
    with Peer(server) as peer:
        peer.send(message("note", field(11, 1, text(what)) + b"\0", kind=ONEWAY))


def version(peer: Peer) -> bytes:
    """What the demo service says it is."""
    answer = peer.ask(message("version"))
    assert answer is not None, "the connection was dropped"
    return answer.body[7:-1]
