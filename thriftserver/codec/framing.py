"""Says what a stream is that is not framed Thrift."""

from __future__ import annotations

from struct import Struct

from thriftserver import wire
from thriftserver.errors import WireError

_i32 = Struct(">i").unpack_from

#: How streams begin that are no framed Thrift: (first bytes, what they are, what to do about it).
_DIALECTS = (
    (b"\x16\x03", "a TLS handshake", "this port speaks plain Thrift; connect without TLS"),
    (b"\x80\x01", "unframed binary Thrift", "use a framed transport in the client"),
    (b"\x82", "unframed compact Thrift", "use a framed transport and the binary protocol in the client"),
    (b"PRI * HTTP/2", "HTTP/2", "this port speaks framed Thrift, not HTTP"),
    *(
        (verb, "HTTP", "this port speaks framed Thrift, not HTTP")
        for verb in (b"GET ", b"POST", b"PUT ", b"HEAD", b"DELE", b"OPTI", b"PATC", b"CONN", b"TRAC")
    ),
)
_PREFIXES = tuple(prefix for prefix, _, _ in _DIALECTS)


class Unframed(WireError):
    """The stream is not framed Thrift, or a frame is out of bounds; nothing after this can be read.

    ``dialect`` names what it seems to be; ``answer`` is what such a peer would understand (empty: nothing).
    """

    def __init__(self, message: str, dialect: str = "", answer: bytes = b"") -> None:
        super().__init__(message)
        self.dialect = dialect
        self.answer = answer


_HTTP_TEXT = b"This port speaks framed binary Thrift, not HTTP.\n"
_HTTP_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(_HTTP_TEXT), _HTTP_TEXT)
)


def recognise(start: bytes, length: int, max_frame: int) -> Unframed:
    """What a stream is whose first four bytes, read as a frame's length, are out of bounds."""
    for prefix, dialect, advice in _DIALECTS:
        if start.startswith(prefix):
            answer = _HTTP_ANSWER if dialect == "HTTP" else b""
            return Unframed(f"the peer speaks {dialect}; {advice}", dialect, answer)
    if length < 0:
        return Unframed(f"a frame's length is negative ({length})")
    return Unframed(f"a frame of {length} bytes is larger than max-frame ({max_frame})", "oversize")


def can_tell(start: bytes, length: int) -> bool:
    """Do the first bytes of a stream, whose ``length`` is out of bounds, tell all that can be told: who speaks, and the
    header of the message that an answer needs?"""
    return length < 0 or start.startswith(_PREFIXES) or len(start) - 4 >= _header_size(start[4:])


def _header_size(start: bytes) -> int:
    """How many bytes a message's header has, as far as its own first ones tell: no fewer than so many."""
    if start and start[0] not in (0x80, 0):
        return 0
    if len(start) < 4:
        return 4
    size, rest = _i32(start)[0], 9
    if size < 0:
        if len(start) < 8:
            return 8
        size, rest = _i32(start, 4)[0], 12
    return rest + size if 0 <= size <= wire.MAX_NAME else 0


def recognise_frame(frame: bytes) -> Unframed:
    """What a frame is whose content begins with no header of ours."""
    return Unframed("the frame holds no message of the binary protocol")
