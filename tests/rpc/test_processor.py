"""Frames in, frames out, without a socket: what docs/wire-contract.md says a message is answered with."""

from __future__ import annotations

import struct
from typing import Any

import pytest

import thriftserver
from thriftserver.codec import binary
from thriftserver.codec.plan import MethodPlan, method_plan
from thriftserver.errors import ApplicationError, WireError
from thriftserver.loading import Api
from thriftserver.rpc.binding import Bound
from thriftserver.rpc.call import Failure
from thriftserver.rpc.processor import Processor

IDL = """
exception Oops { 1: string why }
struct Box { 1: i32 x }
service Base { string whoami() }
service Demo extends Base {
  i32 add(1: i32 a, 2: i32 b)
  Box box(1: string how) throws (1: Oops oops)
  void nothing()
  oneway void note(1: string text)
}
"""


@pytest.fixture(scope="module")
def api() -> Api:
    return thriftserver.load("memory/processor.thrift", files={"memory/processor.thrift": IDL})


class TApplicationException(Exception):
    def __init__(self, type: int, message: str) -> None:
        self.type = type
        self.message = message


class Oops(Exception):
    why = "foreign"


class Handler:
    def __init__(self, api: Api) -> None:
        self.api = api
        self.notes: list[str] = []

    def whoami(self) -> str:
        return "demo"

    def add(self, a: int, b: int) -> int:
        self.notes.append(f"{a}+{b}")
        return a + b

    def box(self, how: str) -> Any:
        match how:
            case "declared":
                raise self.api.Oops("ours")
            case "foreign":
                raise Oops
            case "application":
                raise ApplicationError(42, "custom")
            case "foreign application":
                raise TApplicationException(5, "theirs")
            case "none":
                return None
            case "misfit":
                return self.api.Box("one")
            case "bad declared":
                raise self.api.Oops(17)
            case "attribute":
                return object()
            case _:
                raise ValueError(how)

    def nothing(self) -> str:
        return "ignored"

    def note(self, text: str) -> None:
        self.notes.append(text)
        if text == "fail":
            raise ValueError(text)


class Case:
    """A processor with everything that it did."""

    def __init__(self, api: Api) -> None:
        service = api.Demo.__thrift__
        self.handler = Handler(api)
        self.failures: list[Failure] = []
        self.plans: dict[str, MethodPlan] = {each.name: method_plan(each) for each in service.methods()}
        self.processor = Processor([Bound(service, self.handler, "test")], self.failures.append)

    def call(self, name: str, *args: Any) -> Any:
        """Through the processor and back, as a client would see it."""
        plan = self.plans[name]
        reply = self.processor.process(binary.encode_call(plan, 9, list(args)), 4)
        assert reply is not None
        assert struct.unpack_from(">i", reply)[0] == len(reply) - 4
        header = binary.read_header(reply, 4)
        assert (header.name, header.seqid) == (name, 9)
        return binary.decode_reply(plan, reply, header)


@pytest.fixture
def case(api: Api) -> Case:
    return Case(api)


def message(kind: int, name: str, body: bytes = b"\0") -> bytes:
    data = name.encode()
    return struct.pack(">Hxbi", 0x8001, kind, len(data)) + data + struct.pack(">i", 1) + body


def test_results_inherited_methods_and_void(case: Case) -> None:
    assert case.call("add", 1, 2) == 3
    assert case.call("whoami") == "demo"
    assert case.call("nothing") is None


@pytest.mark.parametrize(("how", "why"), [("declared", "ours"), ("foreign", "foreign")])
def test_declared_exceptions_travel(case: Case, api: Api, how: str, why: str) -> None:
    with pytest.raises(api.Oops) as caught:
        case.call("box", how)
    assert caught.value.why == why
    assert case.failures == []


@pytest.mark.parametrize(
    ("how", "type", "text"),
    [("application", 42, "custom"), ("foreign application", 5, "theirs"), ("none", 5, "box returned no result")],
)
def test_application_errors_travel_as_raised(case: Case, how: str, type: int, text: str) -> None:
    with pytest.raises(ApplicationError) as caught:
        case.call("box", how)
    assert (caught.value.type, caught.value.message) == (type, text)
    assert case.failures == []


@pytest.mark.parametrize(
    ("how", "outcome", "said"),
    [
        ("misfit", "bad_result", "result.x: expected i32, got str 'one'"),
        ("bad declared", "bad_result", "oops.why: expected string, got int 17"),
        ("attribute", "bad_result", ""),
        ("raise", "undeclared", "raise"),
    ],
)
def test_what_a_peer_must_not_see_is_an_id(case: Case, how: str, outcome: str, said: str) -> None:
    with pytest.raises(ApplicationError) as caught:
        case.call("box", how)
    (failure,) = case.failures
    assert (caught.value.type, caught.value.message) == (6, f"internal error, id {failure.error_id}")
    assert (failure.service, failure.method, failure.seqid, failure.outcome) == ("Demo", "box", 9, outcome)
    assert said in str(failure.error)


def test_oneway_is_never_answered(case: Case) -> None:
    for kind in (1, 4):
        for text in (b"hi", b"fail"):
            body = struct.pack(">bhi", 11, 1, len(text)) + text + b"\0"
            assert case.processor.process(message(kind, "note", body)) is None
    assert case.handler.notes == ["hi", "fail"] * 2
    assert [failure.method for failure in case.failures] == ["note", "note"]
    assert case.processor.process(message(4, "note", b"\x0b")) is None


def test_a_oneway_message_for_a_two_way_method_runs_unanswered(case: Case) -> None:
    body = struct.pack(">bhi", 8, 1, 1) + struct.pack(">bhi", 8, 2, 2) + b"\0"
    assert case.processor.process(message(4, "add", body)) is None
    assert case.handler.notes == ["1+2"]
    assert case.processor.process(message(4, "unknown")) is None


def test_old_headers_are_answered_in_kind(case: Case) -> None:
    frame = struct.pack(">i", 6) + b"whoami" + b"\x01" + struct.pack(">i", -7) + b"\0"
    reply = case.processor.process(frame)
    assert reply is not None
    assert reply[4:19] == struct.pack(">i", 6) + b"whoami" + b"\x02" + struct.pack(">i", -7)


def test_a_multiplexed_name_is_answered_without_its_prefix(case: Case) -> None:
    reply = case.processor.process(message(1, "Demo:whoami"))
    assert reply is not None
    assert binary.read_header(reply, 4).name == "whoami"


def test_a_message_is_read_from_where_it_starts(case: Case) -> None:
    frame = message(1, "whoami")
    assert case.processor.process(frame) == case.processor.process(b"junk" + frame, 4)


@pytest.mark.parametrize(
    "frame", [b"", b"\x80", b"\x80\x02\x00\x01\0\0\0\1x\0\0\0\0\0", message(1, "n" * 257), struct.pack(">i", 1 << 30)]
)
def test_an_unreadable_header_is_the_connection_s_business(case: Case, frame: bytes) -> None:
    with pytest.raises(WireError):
        case.processor.process(frame)
