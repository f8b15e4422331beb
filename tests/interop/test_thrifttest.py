"""Apache's own clients call every method of Apache's own test services, bare and multiplexed."""

from __future__ import annotations

import importlib
import math
import struct
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.harness import Server
from tests.interop.counterparts import Recorder, apache_protocol, compile_idl, importable, methods_of, refused
from tests.interop.scenarios import CONTROLS, UNICODE
from thriftserver.wire import Application


@pytest.fixture
def generated(without_uuid: Path, tmp_path: Path) -> Iterator[Any]:
    """What Apache's compiler makes: types, and the modules of both services."""
    out = tmp_path / "generated"
    out.mkdir()
    compile_idl("py", without_uuid, out)
    with importable(out):
        from thrift.Thrift import TApplicationException

        types = vars(importlib.import_module("ThriftTest.ttypes"))
        services = {name: importlib.import_module(f"ThriftTest.{name}") for name in ("ThriftTest", "SecondService")}
        yield SimpleNamespace(**types | services | {"ApplicationError": TApplicationException})


@pytest.mark.parametrize("multiplexed", [False, True], ids=["bare", "multiplexed"])
def test_every_method(thrifttest: Server, generated: Any, thrifttest_idl: Path, multiplexed: bool) -> None:
    from thrift.protocol.TMultiplexedProtocol import TMultiplexedProtocol

    with apache_protocol(thrifttest.host, thrifttest.port) as protocol:
        spoken = TMultiplexedProtocol(protocol, "ThriftTest") if multiplexed else protocol
        client: Any = Recorder(generated.ThriftTest.Client(spoken))
        _base_types(client)
        _structs(client, generated)
        _containers(client, generated)
        _exceptions(client, generated)
        client.testOneway(0)
        assert client.testI32(1) == 1
        name = "ThriftTest:testUuid" if multiplexed else "testUuid"
        for value in (uuid.UUID(int=0), uuid.UUID("00112233-4455-6677-8899-aabbccddeeff"), uuid.UUID(int=2**128 - 1)):
            assert _call_uuid(protocol, name, value) == value
        client.called.add("testUuid")
        assert client.called >= methods_of(thrifttest_idl, "ThriftTest")

        second: Any = Recorder(generated.SecondService.Client(TMultiplexedProtocol(protocol, "SecondService")))
        assert second.secondtestString(UNICODE) == f'testString("{UNICODE}")'
        assert second.called >= methods_of(thrifttest_idl, "SecondService")
        nobody = generated.SecondService.Client(TMultiplexedProtocol(protocol, "ThirdService"))
        with refused(generated, Application.UNKNOWN_METHOD, "'ThirdService'", "ThriftTest, SecondService"):
            nobody.secondtestString("")
        assert generated.SecondService.Client(protocol).secondtestString("") == 'testString("")'
        assert client.testVoid() is None


def test_a_oneway_call_that_takes_long(thrifttest: Server, generated: Any) -> None:
    """Others are answered meanwhile, and the calls behind it on its own connection each by their own reply."""
    with apache_protocol(thrifttest.host, thrifttest.port) as protocol:
        client = generated.ThriftTest.Client(protocol)
        client.testOneway(1)
        with apache_protocol(thrifttest.host, thrifttest.port) as another:
            assert generated.ThriftTest.Client(another).testString("at once") == "at once"
        assert client.testString("afterwards") == "afterwards"
        assert client.testI64(-1) == -1


def _base_types(client: Any) -> None:
    assert client.testVoid() is None
    for text in ("", "plain", UNICODE, CONTROLS, "\0", '"quotes" \\ %s {}', "x" * 100_000, "名" * 70_000):
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
    for number in (0.0, -0.0, 0.1, -1 / 3, 5e-324, 1.7976931348623157e308, math.inf, -math.inf, math.nan):
        assert struct.pack(">d", client.testDouble(number)) == struct.pack(">d", number)
    every = bytes(range(256))
    for data in (b"", b"\0", b"\xff\xfe not UTF-8 \xc3", every, every * 512):
        echo = client.testBinary(data)
        assert echo == data
        assert type(echo) is bytes


def _structs(client: Any, t: Any) -> None:
    full = t.Xtruct(string_thing=UNICODE, byte_thing=-128, i32_thing=-(2**31), i64_thing=-(2**63))
    for thing in (full, t.Xtruct(), t.Xtruct(string_thing="", i64_thing=0)):
        assert client.testStruct(thing) == thing
    for nest in (
        t.Xtruct2(byte_thing=1, struct_thing=full, i32_thing=5),
        t.Xtruct2(),
        t.Xtruct2(struct_thing=t.Xtruct()),
    ):
        assert client.testNest(nest) == nest
    insanity = t.Insanity(
        userMap={t.Numberz.FIVE: 5, t.Numberz.EIGHT: 2**40, 1000: -1},
        xtructs=[full, t.Xtruct(), t.Xtruct(string_thing="Goodbye4", byte_thing=4, i32_thing=4, i64_thing=4)],
    )
    for argument in (insanity, t.Insanity(), t.Insanity(userMap={}, xtructs=[])):
        numberz = t.Numberz
        expected = {1: {numberz.TWO: argument, numberz.THREE: argument}, 2: {numberz.SIX: t.Insanity()}}
        assert client.testInsanity(argument) == expected
    result = client.testMulti(-128, 2**31 - 1, -(2**63), {-(2**15): "abc", 2**15 - 1: UNICODE}, t.Numberz.SIX, 7)
    assert result == t.Xtruct(string_thing="Hello2", byte_thing=-128, i32_thing=2**31 - 1, i64_thing=-(2**63))


def _containers(client: Any, t: Any) -> None:
    for pairs in ({}, {0: 0}, {n: n - 10 for n in range(5)}, {2**31 - 1: -(2**31)}):
        assert client.testMap(pairs) == pairs
    for texts in ({}, {"": ""}, {"a": "2", "b": "blah", "some": "thing"}, {UNICODE: CONTROLS}):
        assert client.testStringMap(texts) == texts
    for members in (set(), {0}, set(range(-2, 3)), set(range(10_000))):
        assert client.testSet(members) == members
    for items in ([], [0], [2, 1, 1, -5], list(range(10_000))):
        assert client.testList(items) == items
    for number in (*t.Numberz._VALUES_TO_NAMES, 0, 4, 1000, -1, 2**31 - 1):
        assert client.testEnum(number) == number
    assert client.testMapMap(1) == {-4: {-4: -4, -3: -3, -2: -2, -1: -1}, 4: {1: 1, 2: 2, 3: 3, 4: 4}}


def _exceptions(client: Any, t: Any) -> None:
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


def _call_uuid(protocol: Any, name: str, value: uuid.UUID) -> uuid.UUID:
    """testUuid as a newer compiler would have it, through Apache's protocol class."""
    from thrift.Thrift import TMessageType, TType

    protocol.writeMessageBegin(name, TMessageType.CALL, -(2**31))
    protocol.writeStructBegin("testUuid_args")
    protocol.writeFieldBegin("thing", TType.UUID, 1)
    protocol.writeUuid(value)
    protocol.writeFieldEnd()
    protocol.writeFieldStop()
    protocol.writeStructEnd()
    protocol.writeMessageEnd()
    protocol.trans.flush()
    assert protocol.readMessageBegin() == ("testUuid", TMessageType.REPLY, -(2**31))
    protocol.readStructBegin()
    _, kind, number = protocol.readFieldBegin()
    assert (kind, number) == (TType.UUID, 0)
    result: uuid.UUID = protocol.readUuid()
    protocol.readFieldEnd()
    assert protocol.readFieldBegin()[1] == TType.STOP
    protocol.readStructEnd()
    protocol.readMessageEnd()
    return result
