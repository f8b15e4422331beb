"""Every stream is fed whole, byte by byte, and in random pieces; it must come out the same."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thriftserver.codec.framing import Framer


def framed(*bodies: bytes) -> bytes:
    return b"".join(struct.pack(">i", len(body)) + body for body in bodies)


def bodies(frames: list[tuple[bytes, int]]) -> list[bytes]:
    return [frame[start:] for frame, start in frames]


@given(st.lists(st.binary(max_size=40), max_size=6), st.binary(max_size=3), st.data())
def test_frames_come_out_however_the_stream_is_cut(sent: list[bytes], rest: bytes, data: st.DataObject) -> None:
    stream = framed(*sent) + rest
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8).map(sorted))
    for edges in ([0, len(stream)], list(range(len(stream) + 1)), [0, *cuts, len(stream)]):
        framer = Framer()
        got = [body for start, end in pairwise(edges) if end > start for body in bodies(framer.feed(stream[start:end]))]
        assert got == sent
        assert framer.broken is None
        assert framer.unread == rest
        assert framer.waiting == bool(rest)


def test_one_whole_frame_is_not_copied() -> None:
    data = framed(b"abc")
    ((frame, start),) = Framer().feed(data)
    assert frame is data
    assert start == 4


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
    framer = Framer(max_frame=100)
    assert bodies(framer.feed(framed(b"good") + stream)) == [b"good"]
    assert framer.broken is not None
    assert framer.broken.dialect == dialect
    assert (framer.broken.answer[:12] == b"HTTP/1.1 400") == (dialect == "HTTP")


def test_a_frame_of_just_the_limit_passes() -> None:
    framer = Framer(max_frame=100)
    assert bodies(framer.feed(framed(bytes(100), bytes(100)))) == [bytes(100)] * 2
    assert bodies(framer.feed(framed(bytes(101)))) == []
    assert framer.broken is not None
