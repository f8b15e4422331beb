"""Which dialect a stream is taken for: by the bytes that Apache's library sends, one at a time."""

from __future__ import annotations

import itertools

import pytest

from tests.speech import VOICES
from thriftserver.dialect.detect import Ear, find
from thriftserver.dialect.recognise import Refusal
from thriftserver.dialect.table import BY_NAME, DIALECTS, chosen
from thriftserver.errors import WireError
from thriftserver.wire import DIALECTS as NAMES
from thriftserver.wire import MAX_FRAME, ONEWAY

EAR = Ear(MAX_FRAME)
#: What others begin with who are not served.
STRANGERS = {
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x00",
    "SASL": b"\x01\x00\x00\x00\x05PLAIN\x00\x00",
    "zlib": b"x\x9c\xab\xbe\xf2\xff\xff\x7f\x00\x00\x00\x00",
    "HTTP/2": b"PRI * HTTP/2.0\r\n",
    "PROXY": b"PROXY TCP4 127.0.0.1",
    "PROXY v2": b"\r\n\r\n\0\r\nQUIT\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2",
    "Redis": b"*1\r\n$4\r\nPING\r\n",
    "JSON": b'{"jsonrpc": "2.0"}',
}


def test_rows_stand_where_their_numbers_say() -> None:
    assert tuple(row.name for row in DIALECTS) == NAMES
    assert [row.number for row in DIALECTS] == list(range(len(DIALECTS)))


@pytest.mark.parametrize("name", VOICES)
@pytest.mark.parametrize("length", range(1, 13))
def test_each_dialect_is_known_from_its_first_bytes_and_never_taken_for_another(name: str, length: int) -> None:
    voice = VOICES[name]
    for number, kind in itertools.product((1, 127, 128, 2**31 - 1), (1, ONEWAY)):
        for method in ("add", "a" * 200):
            stream = voice.add(20, 22, number, kind, method)
            found = EAR.detect(stream[:length], False)
            assert found is None or found.name == voice.dialect
            assert found is not None or length < 8  # the old form begins with two lengths, one of them the frame's


@pytest.mark.parametrize("name", STRANGERS)
@pytest.mark.parametrize("length", range(1, 13))
def test_strangers_are_taken_for_nobody_that_is_served(name: str, length: int) -> None:
    found = EAR.detect(STRANGERS[name][:length], False)
    assert found is None or found.number < 0
    assert found is not None or length < 6


@pytest.mark.parametrize("name", VOICES)
def test_a_dialect_that_is_not_taken_is_refused_in_its_own_words(name: str) -> None:
    voice = VOICES[name]
    others = [each for each in BY_NAME if each != voice.dialect]
    for kind in (1, ONEWAY):
        stream = voice.add(20, 22, 77, kind)
        transport = Ear(MAX_FRAME, others).detect(stream, False)
        assert transport is not None
        assert transport.measure(stream, False) == -1
        problem = transport.refuse(stream)
        assert isinstance(problem, Refusal)
        row = BY_NAME[voice.dialect]
        assert row.advice in str(problem)
        assert f"the peer speaks {row.title}" in str(problem)
        if voice.dialect == "http":
            assert problem.answer.startswith(b"HTTP/1.1 400 ")
        elif kind == ONEWAY:
            assert problem.answer == b""
        else:
            reply = voice.reply(problem.answer)
            assert reply is not None
            assert (reply.name, reply.seqid, reply.value) == ("add", 77, str(problem))


@pytest.mark.parametrize("name", [name for name in VOICES if VOICES[name].dialect != "http"])
def test_a_refusal_waits_until_it_is_known_whom_to_answer(name: str) -> None:
    voice = VOICES[name]
    stream = voice.add(20, 22, 77)
    ear = Ear(MAX_FRAME, ["http"])
    told = [
        length
        for length in range(1, len(stream) + 1)
        if (found := ear.detect(stream[:length], False)) and found.measure(stream[:length], False) == -1
    ]
    first = told[0]
    assert told == list(range(first, len(stream) + 1))
    found = ear.detect(stream[:first], False)
    assert found is not None
    assert voice.reply(found.refuse(stream[:first]).answer) is not None


def test_what_a_port_takes() -> None:
    assert chosen((), False) == NAMES[:-1]
    assert chosen(("auto",), True) == NAMES
    assert chosen(("framed-binary",), False) == ("framed-binary",)
    assert chosen(("framed-binary", "http"), False) == ("framed-binary", "http")
    assert chosen(("header",), True) == ("header", "http")


def test_frames_that_are_too_large_are_refused_in_their_own_dialect() -> None:
    for name, voice in VOICES.items():
        if not BY_NAME[voice.dialect].framed:
            continue
        small = Ear(10)
        stream = voice.add(20, 22, 77)
        transport = small.detect(stream, False)
        assert transport is not None, name
        assert transport.measure(stream, False) == -1, name
        problem = transport.refuse(stream)
        assert "larger than max-frame (10)" in str(problem), name
        reply = voice.reply(problem.answer)
        assert reply is not None, name
        assert reply.seqid == 77, name
        assert small.is_oversize(stream[:4])


def test_an_empty_frame_is_no_riddle() -> None:
    found = EAR.detect(bytes(4), False)
    assert found is not None
    assert found.measure(bytes(4), False) == 4
    with pytest.raises(WireError) as caught:
        found.open(bytes(4))
    assert str(found.explain(caught.value, bytes(4))).startswith("bad message header")
    assert find(b"\0\0\0\0", MAX_FRAME) == (None, False)


def test_a_stream_that_ends_is_decided() -> None:
    for stream in (b"\x00", b"\x80", b"PO", b"\x82"):
        assert EAR.detect(stream, False) is None
        ended = EAR.detect(stream, True)
        assert ended is not None
        assert ended.measure(stream, True) == -1
        assert str(ended.refuse(stream))
