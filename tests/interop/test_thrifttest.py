"""Apache's own clients call every method of Apache's own test services, bare and multiplexed."""

from __future__ import annotations

import contextlib
import importlib
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from thrift.protocol.TMultiplexedProtocol import TMultiplexedProtocol

from tests.harness import Server
from tests.interop import dialects
from tests.interop.counterparts import (
    Recorder,
    SetMender,
    apache_protocol,
    compile_idl,
    importable,
    methods_of,
    refused,
)
from tests.interop.scenarios import UNICODE
from tests.interop.thrifttest_scenario import NOT_FINITE, every_method
from thriftserver.wire import Application


@pytest.fixture(scope="module")
def generated(without_uuid: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """What Apache's compiler makes: types, and the modules of both services."""
    out = tmp_path_factory.mktemp("generated")
    compile_idl("py", without_uuid, out)
    with importable(out):
        from thrift.Thrift import TApplicationException

        types = vars(importlib.import_module("ThriftTest.ttypes"))
        services = {name: importlib.import_module(f"ThriftTest.{name}") for name in ("ThriftTest", "SecondService")}
        yield SimpleNamespace(**types | services | {"ApplicationError": TApplicationException})


@pytest.mark.parametrize("multiplexed", [False, True], ids=["bare", "multiplexed"])
@pytest.mark.parametrize("dialect", dialects.APACHE)
def test_every_method(
    thrifttest: Server, generated: Any, thrifttest_idl: Path, dialect: str, multiplexed: bool
) -> None:
    with apache_protocol(thrifttest.host, thrifttest.port, dialect) as protocol:
        spoken = TMultiplexedProtocol(protocol, "ThriftTest") if multiplexed else protocol
        client: Any = Recorder(generated.ThriftTest.Client(spoken))
        # TJSONProtocol writes nan and inf, which are no JSON; others write them in quotes.
        every_method(client, generated, () if "json" in dialect else NOT_FINITE)
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


@pytest.fixture(scope="module")
def loaded(without_uuid: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What thriftpy2 makes of the IDL, without the annotations of types and the namespace that its parser rejects."""
    import thriftpy2
    from thriftpy2.thrift import TApplicationException

    text = re.sub(
        r" *\(python\.immutable *= \"\"\)|^namespace xsd .*$", "", without_uuid.read_text("utf-8"), flags=re.M
    )
    path = tmp_path_factory.mktemp("idl") / without_uuid.name
    path.write_text(text, encoding="utf-8")
    return SimpleNamespace(
        **vars(thriftpy2.load(str(path), module_name="ThriftTest_thrift")), ApplicationError=TApplicationException
    )


@pytest.mark.parametrize("multiplexed", [False, True], ids=["bare", "multiplexed"])
@pytest.mark.parametrize("dialect", dialects.THRIFTPY2)
def test_thriftpy2(thrifttest: Server, loaded: Any, thrifttest_idl: Path, dialect: str, multiplexed: bool) -> None:
    def connect(service: str) -> Any:
        made = dialects.THRIFTPY2[dialect]
        prefix = service if multiplexed else ""
        return contextlib.closing(made(getattr(loaded, service), thrifttest.host, thrifttest.port, prefix))

    expected = methods_of(thrifttest_idl, "ThriftTest") - {"testUuid"}
    if "json" in dialect:
        # TApacheJSONProtocol forgets no reply, and gives it again for the next call; it has no keys that are enums;
        # it writes NaN and Infinity, which are no JSON; and it reads byte by byte, each time the whole string anew.
        recorder = OneCallEach(lambda: connect("ThriftTest"))
        every_method(recorder, loaded, (), enum_keys=False, long=1_000)
        assert recorder.called >= expected - {"testInsanity"}
    else:
        with connect("ThriftTest") as client:
            recorder = SetMender(client)
            every_method(recorder, loaded)
            assert recorder.called >= expected
    with connect("SecondService") as second:
        assert second.secondtestString(UNICODE) == f'testString("{UNICODE}")'


class OneCallEach(Recorder):
    """A client that is made anew for each call."""

    def __getattr__(self, name: str) -> Any:
        self.called.add(name)

        def call(*args: Any) -> Any:
            with self._client() as client:
                return getattr(SetMender(client), name)(*args)

        return call


def test_all_dialects_at_once(thrifttest: Server, generated: Any) -> None:
    """Connections of all dialects are open together, and each is answered in its own."""
    with contextlib.ExitStack() as stack:
        clients = {}
        for dialect in dialects.APACHE:
            protocol = stack.enter_context(apache_protocol(thrifttest.host, thrifttest.port, dialect))
            clients[dialect] = generated.ThriftTest.Client(protocol)
        for turn in range(3):
            for client in clients.values():
                client.send_testString(f"{UNICODE} {turn}")
            for dialect, client in clients.items():
                assert client.recv_testString() == f"{UNICODE} {turn}", dialect


def test_a_oneway_call_that_takes_long(thrifttest: Server, generated: Any) -> None:
    """Others are answered meanwhile, and the calls behind it on its own connection each by their own reply."""
    with apache_protocol(thrifttest.host, thrifttest.port) as protocol:
        client = generated.ThriftTest.Client(protocol)
        client.testOneway(1)
        with apache_protocol(thrifttest.host, thrifttest.port) as another:
            assert generated.ThriftTest.Client(another).testString("at once") == "at once"
        assert client.testString("afterwards") == "afterwards"
        assert client.testI32(-1) == -1


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
