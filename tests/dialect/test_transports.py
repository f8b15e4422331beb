"""Where messages end, and what is put around replies, without a socket: in both forms, for every dialect."""

from __future__ import annotations

import importlib
import random
from types import ModuleType
from typing import Any

import pytest

from tests.speech import VOICES, Voice
from tests.support import need
from thriftserver.codec.protocols import spoken
from thriftserver.compiled import NATIVE
from thriftserver.dialect.detect import Ear
from thriftserver.dialect.table import BY_NAME
from thriftserver.wire import MAX_FRAME

UNFRAMED = [name for name in VOICES if VOICES[name].dialect.startswith("unframed")]
MORE, BROKEN = 0, -1


@pytest.fixture(params=["pure", "native"])
def module(request: pytest.FixtureRequest) -> ModuleType:
    if request.param == "pure":
        return importlib.import_module("thriftserver.dialect.transport")
    need(NATIVE or None, "compiled code (python setup.py build_ext --inplace)")
    return importlib.import_module("thriftserver.dialect._transport")


def make(module: ModuleType, voice: Voice, limit: int = MAX_FRAME) -> Any:
    """The transport of one of the dialects that are not written in plain Python alone."""
    row = BY_NAME[voice.dialect]
    native = module.__name__.endswith("_transport")
    protocol = next(each for each in spoken(native) if each.name == row.protocols[0])
    return {"framed": module.Framed, "unframed": module.Unframed}[row.transport](row.name, row.number, protocol, limit)


BOTH = [name for name in VOICES if BY_NAME[VOICES[name].dialect].transport in ("framed", "unframed")]


@pytest.mark.parametrize("name", BOTH)
def test_a_message_is_whole_when_its_last_byte_is_there(module: ModuleType, name: str) -> None:
    voice = VOICES[name]
    stream = voice.add(20, -22, 5)
    held = bytearray()
    transport = make(module, voice)
    for byte in stream[:-1]:
        held.append(byte)
        assert transport.measure(held, False) == MORE
    held.append(stream[-1])
    assert transport.measure(held, False) == len(stream)
    assert transport.measure(held, True) == len(stream)
    header = transport.open(bytes(held))
    assert (header.name, header.seqid, header.kind, header.protocol) == ("add", 5, 1, transport.protocol)


@pytest.mark.parametrize("name", BOTH)
def test_messages_that_come_together_are_found_one_after_the_other(module: ModuleType, name: str) -> None:
    voice = VOICES[name]
    chance = random.Random(4)
    calls = [voice.add(chance.randrange(1000), -number, number) for number in range(40)]
    stream, held, found = b"".join(calls), bytearray(), []
    transport = make(module, voice)
    at = 0
    while at < len(stream) or held:
        size = chance.randrange(1, 60)
        held += stream[at : at + size]
        at += size
        while held and (length := transport.measure(held, False)) > 0:
            found.append(bytes(held[:length]))
            del held[:length]
            transport.advance()
    assert found == calls


@pytest.mark.parametrize("name", UNFRAMED)
def test_no_message_is_larger_than_the_limit(module: ModuleType, name: str) -> None:
    voice = VOICES[name]
    stream = voice.note("x" * 300)
    assert make(module, voice, len(stream)).measure(stream, False) == len(stream)
    transport = make(module, voice, len(stream) - 1)
    assert transport.measure(stream, False) == BROKEN
    assert f"larger than max-frame ({len(stream) - 1})" in str(transport.refuse(stream))


@pytest.mark.parametrize("name", [name for name in UNFRAMED if "json" not in name])
def test_a_text_that_claims_to_be_larger_is_not_waited_for(module: ModuleType, name: str) -> None:
    voice = VOICES[name]
    stream = voice.note("x" * 300)
    transport = make(module, voice, 200)
    assert transport.measure(stream[:60], False) == BROKEN
    reply = voice.reply(transport.refuse(VOICES[name].add(1, 2, 9)).answer)
    assert reply is not None
    assert reply.seqid == 9


@pytest.mark.parametrize("name", UNFRAMED)
def test_what_can_never_be_a_message_is_told_at_once(module: ModuleType, name: str) -> None:
    voice = VOICES[name]
    good = voice.add(20, 22, 7)
    bad = {
        "unframed binary": good[:15] + b"\x63\x00\x01" + good[18:],
        "unframed old binary": good[:12] + b"\x63\x00\x01" + good[15:],
        "unframed compact": good[:7] + b"\x1e" + good[8:],
        "unframed json": b"[" * 1000,
    }[name]
    transport = make(module, voice)
    assert transport.measure(bad, False) == BROKEN
    problem = transport.refuse(bad)
    assert str(problem)
    if "json" not in name:
        reply = voice.reply(problem.answer)
        assert reply is not None
        assert (reply.name, reply.seqid, reply.value) == ("add", 7, str(problem))


@pytest.mark.parametrize("name", VOICES)
def test_an_answer_is_read_by_who_asked(name: str) -> None:
    voice = VOICES[name]
    stream = voice.add(20, 22, 2**31 - 1)
    transport = Ear(MAX_FRAME).detect(stream, False)
    assert transport is not None
    assert transport.measure(stream, False) == len(stream)
    transport.advance()
    header = transport.open(stream)
    sink = transport.wrap(header, header.protocol.put_error(header, 6, "broken"), None)
    finish = importlib.import_module(f"thriftserver.codec.{'_' if NATIVE else ''}memory").finish
    reply = voice.reply(finish(sink))
    assert reply is not None
    assert (reply.name, reply.seqid, reply.value, reply.type) == ("add", 2**31 - 1, "broken", 6)


def test_connections_of_one_head_do_not_wait_for_each_other() -> None:
    """Only a head whose answer has been written is known to others, and what is known changes no answer."""
    voice = VOICES["http compact"]
    finish = importlib.import_module(f"thriftserver.codec.{'_' if NATIVE else ''}memory").finish
    ear, answers, opened = Ear(MAX_FRAME), [], []
    for number in (31, 32, 33):  # of one size, so of one head, which no other test has
        stream = voice.add(20, 22, number, name="add_of_one_head")
        transport = ear.detect(stream, False)
        assert transport is not None
        assert transport.measure(stream, False) == len(stream)
        transport.advance()
        opened.append((transport, transport.open(stream)))
    for infos in (None, {"x-seen": "1"}, None):
        for transport, header in opened:
            answers.append(finish(transport.wrap(header, header.protocol.put_error(header, 6, "broken"), infos)))
            stream = voice.add(20, 22, header.seqid, name="add_of_one_head")
            assert transport.measure(stream, False) == len(stream)
            transport.advance()
            assert transport.open(stream).infos == header.infos
    assert [reply.seqid for answer in answers if (reply := voice.reply(answer))] == [31, 32, 33] * 3
    assert [b"x-seen: 1\r\n" in answer for answer in answers] == [False] * 3 + [True] * 3 + [False] * 3
    assert len({answer[: answer.index(b"\r\n\r\n")] for answer in (*answers[:3], *answers[6:])}) == 1
