"""Cuts a stream of bytes into frames, and says what a stream is that has none.

Sans-IO, as everything in this room: bytes are fed, frames come out. It does not look inside a frame.
"""

from __future__ import annotations

from struct import Struct

from thriftserver.errors import WireError
from thriftserver.wire import MAX_FRAME

_length = Struct(">i").unpack_from

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


class Framer:
    """Collects the bytes of one connection; holds nothing while no frame is incomplete.

    ``feed`` returns the frames that are whole now as (bytes, offset of the message). In the common case, one frame in
    one read, these are the very bytes that were fed. ``broken`` says why a stream cannot go on, once it cannot; the
    frames before that point have been returned.
    """

    __slots__ = ("_max_frame", "_partial", "broken")

    def __init__(self, max_frame: int = MAX_FRAME) -> None:
        self._max_frame = max_frame
        self._partial: bytearray | None = None
        self.broken: Unframed | None = None

    @property
    def unread(self) -> bytes:
        """Bytes of a frame that is not whole yet."""
        return b"" if self._partial is None else bytes(self._partial)

    @property
    def waiting(self) -> bool:
        """Has a frame begun that is not whole yet?"""
        return self._partial is not None

    def feed(self, data: bytes) -> list[tuple[bytes, int]]:
        """The frames that ``data`` completes."""
        if self._partial is None:
            size = len(data) - 4
            if 0 <= size <= self._max_frame and _length(data)[0] == size:
                return [(data, 4)]
            self._partial = bytearray(data)
        else:
            self._partial += data
        return self._cut(self._partial)

    def _cut(self, held: bytearray) -> list[tuple[bytes, int]]:
        frames: list[tuple[bytes, int]] = []
        at, end = 0, len(held)
        with memoryview(held) as view:
            while end - at >= 4:
                length = _length(held, at)[0]
                if not 0 <= length <= self._max_frame:
                    self.broken = recognise(bytes(view[at : at + 16]), length, self._max_frame)
                    break
                if end - at - 4 < length:
                    break
                frames.append((bytes(view[at + 4 : at + 4 + length]), 0))
                at += 4 + length
        if at == end:
            self._partial = None
        elif at:
            del held[:at]
        return frames
