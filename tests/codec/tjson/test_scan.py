"""The scanner finds the ends of messages wherever their bytes are cut, and looks at each byte once."""

from __future__ import annotations

import random
import time

import pytest

from tests.codec.schemas import all_values
from tests.codec.tjson.texts import ECHO
from thriftserver import wire
from thriftserver.codec.fault import Fault
from thriftserver.codec.memory import Source
from thriftserver.codec.tjson import message
from thriftserver.codec.tjson.scan import Scan

RICH = message.encode_result(ECHO, message.new_header("echo", wire.CALL, 7), all_values())[4:]
MESSAGES = [RICH, b'[1,"a\\"]\\\\",1,2,{"1":{"str":"[{\\\\\\""}}]', b'[1,"x",1,0,{}]', b'\r\n [1,"y",4,0,{}]']


def ends(data: bytes, cuts: list[int]) -> list[int]:
    """Where messages end, when so many bytes have arrived at each cut."""
    scanner = Scan()
    source = Source(bytearray(), 0)  # type: ignore[arg-type]  # what a stream has
    found = []
    for end in [*cuts, len(data)]:
        source.data = bytearray(data[:end])  # type: ignore[assignment]
        source.end = end
        while scanner.scan(source):
            found.append(source.pos)
        assert source.pos == end
    return found


def test_ends_of_pipelined_messages_wherever_they_are_cut() -> None:
    dice = random.Random(1)
    for _ in range(300):
        data = b""
        expected = []
        for each in dice.choices(MESSAGES, k=dice.randint(1, 4)):
            data += each
            expected.append(len(data))
        cuts = sorted(dice.randrange(len(data) + 1) for _ in range(dice.randint(0, 8)))
        assert ends(data, []) == ends(data, cuts) == expected


def test_a_byte_at_a_time() -> None:
    data = b"".join(MESSAGES)
    assert ends(data, list(range(len(data)))) == ends(data, [])


def test_what_never_becomes_a_message() -> None:
    for data, told in (
        (b"\0\0\0\x10", "expected '[' at byte 0, got '\\x00'"),
        (b'\n{"a":1}', "expected '[' at byte 1, got '{'"),
        (b"[" * 5_000, "more than 602 brackets within each other"),
        (b"[1] x", "expected '[' at byte 4, got 'x'"),
    ):
        with pytest.raises(Fault) as caught:
            ends(data, [])
        assert caught.value.message == told


def test_the_deepest_message_is_not_too_deep() -> None:
    # Structs cost most brackets, with the deepest limit that can be set.
    data = b'[1,"deep",1,0,' + b'{"1":{"rec":' * 201 + b"{}" + b"}}" * 201 + b"]"
    assert ends(data, []) == [len(data)]


def test_the_time_grows_with_the_bytes_alone() -> None:
    data = bytearray(b'[1,"' + b"x" * 400_000 + b'",1,0,{}]')
    scanner, source = Scan(), Source(data, 0)  # type: ignore[arg-type]
    source.end = 0
    start = time.process_time()
    while source.end < len(data):  # each byte arrives alone: to begin anew each time would take hours
        source.end += 1
        if scanner.scan(source):
            break
    assert source.pos == len(data)
    assert time.process_time() - start < 20
