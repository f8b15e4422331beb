"""A server within the test's process: what it shares with the real one, and that nothing of it is left."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
import unittest
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from thrift.protocol.TCompactProtocol import TCompactProtocol
from thrift.Thrift import TMessageType, TType
from thrift.transport.TSocket import TSocket
from thrift.transport.TTransport import TBufferedTransport

import thriftserver
from handlers.calculator import Calculator
from tests.server.raw import Peer, add, framed, message
from tests.support import ROOT
from thriftserver.errors import ApplicationError, ConfigError, HandlerError, IdlError
from thriftserver.testing import serve
from thriftserver.testing.failures import PATIENCE
from thriftserver.wire import Application

IDL = """
exception Nobody { 1: string name }
struct User { 1: string name, 2: i32 age }
service Users {
  User get(1: string name) throws (1: Nobody nobody)
  i32 count() (thriftserver.timeout = "50ms")
  oneway void forget(1: string name)
}
service Admin { string who() }
"""


@pytest.fixture
def idl(tmp_path: Path) -> Path:
    path = tmp_path / "users.thrift"
    path.write_text(IDL)
    return path


class Users:
    """Its methods do what the test says."""

    def __init__(self, do: Callable[..., Any] = lambda *_: None) -> None:
        self.do = do
        self.life: list[str] = []

    def setup(self) -> None:
        self.life.append("setup")

    def teardown(self) -> None:
        self.life.append("teardown")

    def get(self, name: str) -> Any:
        return self.do(name)

    def count(self) -> Any:
        return self.do()

    def forget(self, name: str) -> None:
        self.do(name)
        self.life.append(f"forgot {name}")


class Admin:
    def who(self) -> str:
        return thriftserver.current_call().service


def fail(*_: Any) -> Any:
    raise ValueError("broken")


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No thread and no descriptor is left of any of these tests."""
    threads, descriptors = set(threading.enumerate()), set(os.listdir("/proc/self/fd"))
    yield
    assert set(threading.enumerate()) == threads
    assert set(os.listdir("/proc/self/fd")) == descriptors


@pytest.mark.parametrize("handler", [Calculator, Calculator(), "handlers.calculator:Calculator"])
def test_whatever_can_be_a_handler(handler: Any) -> None:
    with serve(ROOT / "idl" / "calculator.thrift", handler) as server:
        assert server.client.add(2, 3) == 5
        assert server.address == f"127.0.0.1:{server.port}"
        assert server.failures == []


def test_its_life_and_its_calls(idl: Path) -> None:
    api = thriftserver.load(idl)
    seen: list[Any] = []

    def do(name: str) -> Any:
        call = thriftserver.current_call()
        seen.append((call.service, call.method, call.dialect, call.peer.partition(":")[0]))
        if name == "nobody":
            raise api.Nobody(name)
        return api.User(name, 36)

    users = Users(do)
    with serve(api, users, service="Users") as server:
        assert users.life == ["setup"]
        assert server.client.get("ada") == api.User("ada", 36)
        with pytest.raises(api.Nobody):
            server.client.get("nobody")
        server.client.forget("eve")
    assert users.life == ["setup", "forgot eve", "teardown"]
    assert seen[0] == ("Users", "get", "framed-binary", "127.0.0.1")


def test_a_oneway_on_a_connection_that_nobody_has_taken_yet(idl: Path) -> None:
    users = Users()
    server = serve(idl, users, service="Users")
    with socket.create_connection((server.host, server.port)) as sock:
        sock.sendall(framed(message("forget", b"\x0b\0\1\0\0\0\3bob\0", kind=4)[4:]))
        server.close()
    assert "forgot bob" in users.life


def test_what_a_handler_raises_is_the_cause_of_what_the_client_raises(idl: Path) -> None:
    with serve(idl, Users(fail), service="Users") as server:
        with pytest.raises(ApplicationError) as caught:
            server.client.get("ada")
        assert caught.value.type == Application.INTERNAL_ERROR
        cause = caught.value.__cause__
        assert isinstance(cause, ValueError)
        trace, names = cause.__traceback__, []
        while trace is not None:
            names.append(trace.tb_frame.f_code.co_name)
            trace = trace.tb_next
        assert names == ["get", "fail"]
        assert server.failures == [cause]


@pytest.mark.parametrize(
    ("result", "text", "answer"),
    [
        (17, "result: expected", Application.INTERNAL_ERROR),
        (None, "get returned no result", Application.MISSING_RESULT),
    ],
)
def test_a_result_that_does_not_fit_names_the_function(idl: Path, result: Any, text: str, answer: int) -> None:
    with serve(idl, Users(lambda _: result), service="Users") as server:
        with pytest.raises(ApplicationError) as caught:
            server.client.get("ada")
        assert caught.value.type == answer
        assert text in str(caught.value.__cause__)
        assert "returned by Users.get (" in caught.value.__cause__.__notes__[0]  # type: ignore[union-attr]


def test_a_failure_that_nobody_has_seen_fails_the_test(idl: Path) -> None:
    server = serve(idl, Users(fail), service="Users")
    server.client.forget("ada")
    with pytest.raises(AssertionError, match=r"Users.forget: ValueError: broken \(.+ in fail\)") as caught:
        server.close()
    assert isinstance(caught.value.__cause__, ValueError)
    server.close()


def test_a_test_that_fails_itself_comes_first(idl: Path) -> None:
    def test() -> None:
        with serve(idl, Users(fail), service="Users") as server:
            server.client.forget("ada")
            raise KeyError

    with pytest.raises(KeyError) as caught:
        test()
    assert "Users.forget: ValueError: broken" in caught.value.__notes__[0]


def test_failures_that_are_expected(idl: Path) -> None:
    with serve(idl, Users(fail), service="Users") as server:
        with server.fails(ValueError) as caught:
            server.client.get("ada")
        assert str(caught.value) == "broken"
        with server.fails():
            server.client.forget("ada")
        with Peer(server) as peer, server.fails(ValueError):  # a client of the test's own
            peer.ask(framed(message("count")[4:]))


def test_failures_that_are_expected_and_do_not_come(idl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thriftserver.testing.failures.PATIENCE", 0.1)
    with serve(idl, Users(fail), service="Users") as server:
        text = r"no call failed with KeyError\n  but there was Users.forget: ValueError"
        with pytest.raises(AssertionError, match=text), server.fails(KeyError):
            server.client.forget("ada")
        with pytest.raises(ApplicationError), server.fails(KeyError):
            server.client.get("ada")
        with pytest.raises(ZeroDivisionError), server.fails(ValueError):
            raise ZeroDivisionError
        assert len(server.failures) == 2


def test_several_services_and_several_clients(idl: Path) -> None:
    meeting = threading.Barrier(2, timeout=PATIENCE)

    def do(name: str) -> Any:
        meeting.wait()  # calls of several connections run beside each other
        return thriftserver.load(idl).User(name)

    with serve(idl, {"Users": Users(do), "Admin": Admin}) as server:
        assert server.connect("Admin").who() == "Admin"
        other = server.connect()
        got: list[Any] = []
        thread = threading.Thread(target=lambda: got.append(other.get("bob").name))
        thread.start()
        assert server.client.get("ada").name == "ada"
        thread.join()
        assert got == ["bob"]
        with pytest.raises(ConfigError, match="did you mean 'Admin'"):
            server.connect("admin")


def test_middleware_and_limits(idl: Path) -> None:
    calls: list[str] = []

    class Noted:
        def __call__(self, call: Any, proceed: Callable[[], Any]) -> Any:
            calls.append(call.method)
            return proceed()

    def do(*args: Any) -> Any:
        time.sleep(0.1)
        return 1 if not args else thriftserver.load(idl).User("ada")

    options = {"method_timeout": "Users.get=20ms"}
    with serve(idl, Users(do), service="Users", middleware=[Noted], options=options) as server:
        for call in (server.client.count, lambda: server.client.get("ada")):
            with pytest.raises(ApplicationError, match="TIMEOUT: "):
                call()
    assert calls == ["count", "get"]


def test_any_client() -> None:
    idl = ROOT / "idl" / "calculator.thrift"
    with serve(idl, Calculator, options={"http": True, "max_frame": 5000}) as server:
        transport = TBufferedTransport(TSocket(server.host, server.port))
        transport.open()
        with closing(transport):
            protocol = TCompactProtocol(transport)
            protocol.writeMessageBegin("add", TMessageType.CALL, 7)
            protocol.writeStructBegin("")
            for number in (1, 2):
                protocol.writeFieldBegin("", TType.I32, number)
                protocol.writeI32(number)
                protocol.writeFieldEnd()
            protocol.writeFieldStop()
            protocol.writeStructEnd()
            protocol.writeMessageEnd()
            transport.flush()
            assert protocol.readMessageBegin() == ("add", TMessageType.REPLY, 7)
        request = message("add", add(2, 3))[4:]
        with Peer(server) as peer:
            peer.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n" % len(request))
            peer.send(b"Connection: close\r\n\r\n" + request)
            assert peer.rest().startswith(b"HTTP/1.1 200 ")
        with Peer(server) as peer:
            for part in (request[:9], request[9:]):
                peer.send(part)
            assert peer.exactly(27).startswith(b"\x80\x01\x00\x02")
        with Peer(server) as peer:
            peer.send(framed(b"\x80\x01\x00\x01" + bytes(6000)))
            assert b"max-frame" in peer.rest()
        with Peer(server) as peer:
            peer.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
            assert peer.rest().startswith(b"HTTP/1.1 400 ")
        with Peer(server) as peer:
            peer.ask(framed(request))
            peer.send(framed(b"\x82\x21\x01\x03add"))  # nothing that follows can be understood
            assert peer.rest() == b""


def test_a_dialect_that_is_not_taken() -> None:
    idl, refused = ROOT / "idl" / "calculator.thrift", "which is not taken here"
    with (
        serve(idl, Calculator, options={"dialect": ["framed-compact"]}) as server,
        pytest.raises(ApplicationError, match=refused),
    ):
        server.client.add(1, 2)


def test_a_call_that_does_not_end(idl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thriftserver.testing.inprocess.PATIENCE", 0.1)
    go_on = threading.Event()
    server = serve(idl, Users(lambda _: go_on.wait()), service="Users")
    server.client.forget("ada")
    with pytest.raises(AssertionError, match=r"has not come to its end(?s:.)+in forget"):
        server.close()
    go_on.set()
    for thread in threading.enumerate():
        if thread.name.startswith("thriftserver "):
            thread.join(PATIENCE)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"handler": 7}, HandlerError, "this is an int, which has no methods"),
        ({"handler": Admin()}, HandlerError, "Users.get is missing in Admin"),
        ({"handler": "tests.nowhere:Users"}, HandlerError, "there is no module 'tests.nowhere'"),
        ({"handler": subprocess.Popen}, HandlerError, "give an instance"),
        ({"service": ""}, HandlerError, "defines 2 services"),
        ({"service": "User"}, HandlerError, "did you mean 'Users'"),
        ({"idl": "nowhere.thrift"}, IdlError, "cannot read this file"),
        ({"options": {"wrokers": 2}}, ConfigError, "did you mean 'workers'"),
        ({"options": {"pipeline": 2}}, ConfigError, "with workers=1"),
        ({"options": {"method_timeout": "gte=1s"}}, ConfigError, "did you mean 'get'"),
        ({"options": {"max_frame": "much"}}, ConfigError, "--max-frame"),
        ({"tmieout": 5}, TypeError, "tmieout"),
    ],
)
def test_what_is_wrong_is_said(idl: Path, arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    given: dict[str, Any] = {"idl": idl, "handler": Users, "service": "Users", **arguments}
    with pytest.raises(error, match=text.replace("(", r"\(")):
        serve(**given)


def test_what_a_handler_raises_before_there_is_a_server_is_its_own(idl: Path) -> None:
    class Broken(Users):
        def setup(self) -> None:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        serve(idl, Broken, service="Users")


class WithUnittest(unittest.TestCase):
    def test_a_context_of_the_test_case(self) -> None:
        server = self.enterContext(serve(ROOT / "idl" / "calculator.thrift", Calculator))
        assert server.client.add(2, 3) == 5


def test_it_brings_no_gevent_and_no_pytest() -> None:
    code = (
        "import sys\nfrom thriftserver.testing import serve\n"
        "class Calculator:\n def __getattr__(self, name): return lambda *_: 1\n"
        "with serve('idl/calculator.thrift', Calculator()) as server: server.client.add(1, 2)\n"
        "assert not {'gevent', 'pytest', 'structlog'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
