"""Says what a stream is that is not framed Thrift."""

from __future__ import annotations

from thriftserver.errors import WireError

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
