"""Frames in, frames out, without a socket: what docs/wire-contract.md says a message is answered with."""

from __future__ import annotations

import struct
from contextvars import ContextVar
from typing import Any

import pytest

import thriftserver
from thriftserver.codec.memory import new_source
from thriftserver.codec.plan import MethodPlan, method_plan
from thriftserver.codec.protocols import binary, spoken
from thriftserver.compiled import variant
from thriftserver.errors import ApplicationError, WireError
from thriftserver.loading import Api
from thriftserver.rpc import _processor, call, processor  # type: ignore[attr-defined]
from thriftserver.rpc.binding import Bound
from thriftserver.rpc.method import make_methods
from thriftserver.scoreboard import _slot, layout, slot  # type: ignore[attr-defined]
from thriftserver.scoreboard.board import Board

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

    def __init__(self, api: Api, kind: str, **more: Any) -> None:
        service = api.Demo.__thrift__
        self.handler = Handler(api)
        self.failures: list[Any] = []
        self.plans: dict[str, MethodPlan] = {each.name: method_plan(each) for each in service.methods()}
        methods = make_methods([Bound(service, self.handler, "test")], more.pop("middleware", ()))
        self.board = Board.create(1, 16)
        pen = (_slot if kind == "native" else slot).Slot(self.board.slot_words(1), self.board.plan)
        pen.open(1, 1, [(each.service, each.name, each.throws) for each in methods], 0)
        make = (_processor if kind == "native" else processor).Processor
        self.processor: Any = make(methods, pen, self.failures.append, **more)

    def outcomes(self, method: str) -> dict[str, int]:
        """How the calls of a method ended, without the zeros."""
        (view,), _ = self.board.snapshot()
        (stats,) = [each for each in view.methods if each.name == method]
        return {name: count for name, count in stats.outcomes.items() if count}

    def call(self, name: str, *args: Any) -> Any:
        """Through the processor and back, as a client would see it."""
        plan = self.plans[name]
        reply = self.processor.process(binary.encode_call(plan, 9, list(args)), 4)
        assert reply is not None
        assert struct.unpack_from(">i", reply)[0] == len(reply) - 4
        header = binary.read_header(reply, 4)
        assert (header.name, header.seqid) == (name, 9)
        return binary.decode_reply(plan, reply, header)


@pytest.fixture(params=["pure", "native"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def case(api: Api, kind: str) -> Case:
    return Case(api, kind)


def message(kind: int, name: str, body: bytes = b"\0") -> bytes:
    data = name.encode()
    return struct.pack(">Hxbi", 0x8001, kind, len(data)) + data + struct.pack(">i", 1) + body


def test_answers_in_any_transport(kind: str, api: Api) -> None:
    case = Case(api, kind)
    protocol = spoken(kind == "native")[0]
    made: Any = variant("dialect.transport", kind == "native")
    framed, unframed = (make("any", 0, protocol, 1000) for make in (made.Framed, made.Unframed))
    request = binary.encode_call(case.plans["add"], 9, [2, 3])
    reply = case.processor.process(request, 4)
    assert case.processor.answer(framed, request, "peer") == reply
    assert case.processor.answer(unframed, request[4:], "peer") == reply[4:]
    assert case.processor.answer(framed, binary.encode_call(case.plans["note"], 9, ["x"]), "peer") == b""
    with pytest.raises(WireError):
        case.processor.answer(framed, struct.pack(">i", 8) + b"no bytes", "peer")
    assert case.outcomes("add") == {"success": 3}


def test_results_inherited_methods_and_void(case: Case) -> None:
    assert case.call("add", 1, 2) == 3
    assert case.call("whoami") == "demo"
    assert case.call("nothing") is None


def test_a_call_is_in_flight_until_its_reply_has_been_sent(api: Api) -> None:
    """A process that dies in between takes the call along: it must be found where those in flight are."""
    case = Case(api, "pure")
    seat, request = call.Seat(), binary.encode_call(case.plans["add"], 9, [1, 2])
    source = new_source(request, 4)
    header = spoken(False)[0].take_header(source)
    entry = case.processor.find(header)
    assert case.processor.serve(header, entry, seat, "", "peer", b"peer".ljust(64), 1, 1) is not None
    assert [call.method for call in case.board.calls(1)] == ["add"]
    case.processor.settle(seat.call, 10, False)
    assert case.board.calls(1) == []
    assert case.board.slot_words(1)[layout.INFLIGHT] == 0


@pytest.mark.parametrize(("how", "why"), [("declared", "ours"), ("foreign", "foreign")])
def test_declared_exceptions_travel(case: Case, api: Api, how: str, why: str) -> None:
    with pytest.raises(api.Oops) as caught:
        case.call("box", how)
    assert caught.value.why == why
    assert case.failures == []


@pytest.mark.parametrize(
    ("how", "type", "text"),
    [("application", 42, "custom"), ("foreign application", 5, "theirs")],
)
def test_application_errors_travel_as_raised(case: Case, how: str, type: int, text: str) -> None:
    with pytest.raises(ApplicationError) as caught:
        case.call("box", how)
    assert (caught.value.type, caught.value.message) == (type, text)
    assert case.failures == []


def test_no_result_is_answered_as_such_and_told(case: Case) -> None:
    with pytest.raises(ApplicationError) as caught:
        case.call("box", "none")
    assert (caught.value.type, caught.value.message) == (5, "box returned no result")
    (failure,) = case.failures
    assert (failure.outcome, str(failure.error)) == ("bad_result", "box returned no result")


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


def test_every_end_of_a_call_is_counted_by_its_name(case: Case) -> None:
    case.call("add", 1, 2)
    for how in ("declared", "application", "none", "misfit", "raise"):
        with pytest.raises(Exception):  # noqa: B017, PT011 - which one, other tests say
            case.call("box", how)
    assert case.processor.process(message(1, "add", b"\x0b")) is not None
    assert case.processor.process(message(1, "nobody")) is not None
    assert case.processor.process(message(3, "add")) is not None
    assert case.outcomes("add") == {"success": 1, "bad_request": 1}
    assert case.outcomes("box") == {"declared": 1, "application": 1, "bad_result": 2, "undeclared": 1}
    (view,), _ = case.board.snapshot()
    assert (view.counters["calls"], view.counters["unknown_method"], view.counters["bad_message"]) == (7, 1, 1)
    assert view.inflight == 0
    box = next(each for each in view.methods if each.name == "box")
    assert box.declared == {"Oops": 1}
    assert sum(box.histogram) == box.calls == 5


def test_what_versioning_forgives_is_counted(case: Case) -> None:
    a, b, unknown = struct.pack(">bhi", 8, 1, 1), struct.pack(">bhi", 8, 2, 2), struct.pack(">bhb", 2, 9, 1)
    for body in (unknown + a + b, b + a, a + b + b, a + struct.pack(">bhb", 2, 2, 1), a + b + b"\0" + b"end"):
        assert case.processor.process(message(1, "add", body + b"\0")) is not None
    (view,), _ = case.board.snapshot()
    counted = {name: count for name, count in view.counters.items() if "fields" in name or "trailing" in name}
    assert counted == {"fields_skipped": 2, "fields_repeated": 1, "fields_misordered": 1, "bytes_trailing": 4}


def test_middleware_is_around_every_call_in_order(api: Api, kind: str) -> None:
    trail: list[str] = []

    def outer(call: Any, proceed: Any) -> Any:
        trail.append(f"outer {call.service}.{call.method} {call.args}")
        try:
            return proceed()
        finally:
            trail.append("outer end")

    def inner(call: Any, proceed: Any) -> Any:
        if call.args == [0, 0]:
            return 77  # it may answer itself
        call.args[0] += 100  # and change what the handler gets
        return proceed() + 1

    case = Case(api, kind, middleware=[outer, inner])
    assert case.call("add", 1, 2) == 104
    assert case.call("add", 0, 0) == 77
    assert trail == ["outer Demo.add [1, 2]", "outer end", "outer Demo.add [0, 0]", "outer end"]
    assert case.handler.notes == ["101+2"]


def test_an_observer_hears_of_every_call_and_a_broken_one_is_left_out(api: Api, kind: str) -> None:
    heard: list[Any] = []

    def broken(_call: Any) -> None:
        raise ValueError("no disk")

    told: list[Any] = []
    case = Case(api, kind, observers=[broken, heard.append], on_broken=lambda *args: told.append(args))
    assert case.call("add", 1, 2) == 3
    assert case.call("add", 1, 3) == 4
    first = heard[0]
    assert (first.method, first.seqid, first.outcome, first.args) == ("add", 9, "success", [1, 2])
    assert 0 < first.received <= first.started <= first.finished
    assert first.reply_bytes > 4
    assert len(heard) == 2
    assert [(observer, str(error)) for observer, error in told] == [(broken, "no disk")]


def test_what_a_handler_binds_is_gone_with_its_call(api: Api, kind: str) -> None:
    bound: ContextVar[int] = ContextVar("bound", default=0)
    seen: list[tuple[int, str]] = []

    def remember(call: Any, proceed: Any) -> Any:
        seen.append((bound.get(), thriftserver.current_call().method))
        bound.set(call.args[0])
        return proceed()

    case = Case(api, kind, middleware=[remember])
    assert case.call("add", 5, 2) == 7
    assert case.call("add", 6, 2) == 8
    assert seen == [(0, "add"), (0, "add")]
    with pytest.raises(LookupError, match="no call is running here"):
        thriftserver.current_call()


def test_a_broken_message_of_any_kind_is_an_answer_or_a_wire_error(case: Case) -> None:
    good = message(1, "add", struct.pack(">bhi", 8, 1, 1) + struct.pack(">bhi", 8, 2, 2) + b"\0")
    for position in range(len(good)):
        for value in (0, 1, 0x7F, 0x80, 0xFF, good[position] ^ 4):
            frame = good[:position] + bytes([value]) + good[position + 1 :]
            try:
                reply = case.processor.process(frame)
            except WireError:
                continue
            assert reply is None or struct.unpack_from(">i", reply)[0] == len(reply) - 4
