"""What is said of a stream that is not framed Thrift."""

from __future__ import annotations

import struct

import pytest

from thriftserver.codec.framing import recognise


@pytest.mark.parametrize(
    ("stream", "dialect"),
    [
        (b"GET / HTTP/1.1\r\n", "HTTP"),
        (b"POST /x HTTP/1.1\r\n", "HTTP"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/2"),
        (b"\x16\x03\x01\x02\x00\x01\x00", "a TLS handshake"),
        (b"\x80\x01\x00\x01\x00\x00\x00\x04ping", "unframed binary Thrift"),
        (b"\x82\x21\x01\x04ping", "unframed compact Thrift"),
        (struct.pack(">i", 101) + bytes(101), "oversize"),
        (b"\xff\xff\xff\xff", ""),
    ],
)
def test_what_is_not_framed_thrift_is_named(stream: bytes, dialect: str) -> None:
    (length,) = struct.unpack_from(">i", stream)
    problem = recognise(stream, length, 100)
    assert problem.dialect == dialect
    assert (problem.answer[:12] == b"HTTP/1.1 400") == (dialect == "HTTP")
