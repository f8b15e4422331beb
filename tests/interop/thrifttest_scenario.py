"""What a Python client, of whatever library, does with Apache's test services: every method but testUuid."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest

from tests.interop.counterparts import refused
from tests.interop.scenarios import CONTROLS, UNICODE
from thriftserver.wire import Application

#: Doubles that JSON has no numbers for.
NOT_FINITE = (math.inf, -math.inf, math.nan)


def every_method(
    client: Any,
    types: Any,
    doubles: tuple[float, ...] = NOT_FINITE,
    enum_keys: bool = True,
    long: int = 100_000,
) -> None:
    """What a library cannot do itself is left out.

    ``doubles`` are the unusual ones that it can write, ``enum_keys`` tells whether it knows maps with such, and
    ``long`` is how many characters it can read in a bearable time.
    """
    base_types(client, long)
    for number in (0.0, -0.0, 0.1, -1 / 3, 5e-324, 1.7976931348623157e308, *doubles):
        assert struct.pack(">d", client.testDouble(number)) == struct.pack(">d", number)
    structs(client, types)
    if enum_keys:
        insanity(client, types)
    containers(client, types)
    exceptions(client, types)
    client.testOneway(0)
    assert client.testI32(1) == 1


def base_types(client: Any, long: int, nul: bool = True) -> None:
    assert client.testVoid() is None
    for text in ("", "plain", UNICODE, CONTROLS, "\0", '"quotes" \\ %s {}', "x" * long, "名" * long):
        text = text if nul else text.replace("\0", "")
        assert client.testString(text) == text
    for flag in (True, False):
        assert client.testBool(flag) is flag
    for number in (0, 1, -1, 127, -128):
        assert client.testByte(number) == number
    for number in (0, -1, 2**31 - 1, -(2**31)):
        assert client.testI32(number) == number
    for number in (0, -1, 2**31, -(2**31) - 1, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)):
        assert client.testI64(number) == number
        assert client.testTypedef(number) == number
    every = bytes(range(256))
    for data in (b"", b"\0", b"\xff\xfe not UTF-8 \xc3", every, every * (long // 200)):
        echo = client.testBinary(data)
        assert echo == data
        assert type(echo) is bytes


def structs(client: Any, t: Any) -> None:
    full = t.Xtruct(string_thing=UNICODE, byte_thing=-128, i32_thing=-(2**31), i64_thing=-(2**63))
    for thing in (full, t.Xtruct(), t.Xtruct(string_thing="", i64_thing=0)):
        assert client.testStruct(thing) == thing
    for nest in (
        t.Xtruct2(byte_thing=1, struct_thing=full, i32_thing=5),
        t.Xtruct2(),
        t.Xtruct2(struct_thing=t.Xtruct()),
    ):
        assert client.testNest(nest) == nest
    result = client.testMulti(-128, 2**31 - 1, -(2**63), {-(2**15): "abc", 2**15 - 1: UNICODE}, t.Numberz.SIX, 7)
    assert result == t.Xtruct(string_thing="Hello2", byte_thing=-128, i32_thing=2**31 - 1, i64_thing=-(2**63))


def insanity(client: Any, t: Any) -> None:
    full = t.Xtruct(string_thing=UNICODE, byte_thing=-128, i32_thing=-(2**31), i64_thing=-(2**63))
    filled = t.Insanity(
        userMap={t.Numberz.FIVE: 5, t.Numberz.EIGHT: 2**40, 1000: -1},
        xtructs=[full, t.Xtruct(), t.Xtruct(string_thing="Goodbye4", byte_thing=4, i32_thing=4, i64_thing=4)],
    )
    for argument in (filled, t.Insanity(), t.Insanity(userMap={}, xtructs=[])):
        numberz = t.Numberz
        expected = {1: {numberz.TWO: argument, numberz.THREE: argument}, 2: {numberz.SIX: t.Insanity()}}
        assert client.testInsanity(argument) == expected


def containers(client: Any, t: Any, nul: bool = True) -> None:
    for pairs in ({}, {0: 0}, {n: n - 10 for n in range(5)}, {2**31 - 1: -(2**31)}):
        assert client.testMap(pairs) == pairs
    for texts in ({}, {"": ""}, {"a": "2", "b": "blah", "some": "thing"}, {UNICODE: CONTROLS if nul else ""}):
        assert client.testStringMap(texts) == texts
    for members in (set(), {0}, set(range(-2, 3)), set(range(10_000))):
        assert client.testSet(members) == members
    for items in ([], [0], [2, 1, 1, -5], list(range(10_000))):
        assert client.testList(items) == items
    for number in (*t.Numberz._VALUES_TO_NAMES, 0, 4, 1000, -1, 2**31 - 1):
        assert client.testEnum(number) == number
    assert client.testMapMap(1) == {-4: {-4: -4, -3: -3, -2: -2, -1: -1}, 4: {1: 1, 2: 2, 3: 3, 4: 4}}


def exceptions(client: Any, t: Any) -> None:
    with pytest.raises(t.Xception) as one:
        client.testException("Xception")
    assert (one.value.errorCode, one.value.message) == (1001, "Xception")
    with refused(t, Application.INTERNAL_ERROR, "internal error"):
        client.testException("TException")
    assert client.testException("success") is None
    with pytest.raises(t.Xception) as one:
        client.testMultiException("Xception", "ignored")
    assert (one.value.errorCode, one.value.message) == (1001, "This is an Xception")
    with pytest.raises(t.Xception2) as two:
        client.testMultiException("Xception2", "ignored")
    assert (two.value.errorCode, two.value.struct_thing) == (2002, t.Xtruct(string_thing="This is an Xception2"))
    assert client.testMultiException("success", UNICODE) == t.Xtruct(string_thing=UNICODE)
