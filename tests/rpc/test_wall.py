"""Whatever a handler's objects and exceptions do: one answer with an id, one failure told, the accounts closed."""

from __future__ import annotations

import gc
import struct
from collections.abc import Callable
from typing import Any

import pytest

import thriftserver
from tests.rpc.test_processor import Case, message
from thriftserver.codec.protocols import binary
from thriftserver.errors import ApplicationError, DeadlineExceeded
from thriftserver.foreign import class_name, text_of
from thriftserver.loading import Api
from thriftserver.log.values import plain, reason, trace
from thriftserver.rpc.binding import describe
from thriftserver.rpc.observe import facts

IDL = """
exception Oops { 1: string why }
struct Box { 1: i32 x }
service Demo {
  i32 whole() throws (1: Oops oops)
  double real()
  bool truth()
  string text()
  binary data()
  uuid id()
  Box box()
  list<i32> many()
  set<i32> once()
  map<i32, i32> pairs()
}
"""
RAISED = (ValueError, SystemExit, KeyboardInterrupt, GeneratorExit, RecursionError, AttributeError, TypeError)


class Handler:
    def __init__(self) -> None:
        self.result: Callable[[], Any] = lambda: 1

    def __getattr__(self, name: str) -> Any:
        return lambda: self.result()


@pytest.fixture(scope="module")
def api() -> Api:
    return thriftserver.load("memory/wall.thrift", files={"memory/wall.thrift": IDL})


@pytest.fixture(params=["pure", "native"])
def case(api: Api, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Case:
    monkeypatch.setattr("tests.rpc.test_processor.Handler", lambda _api: Handler())
    return Case(api, request.param)


def raiser(error: type[BaseException]) -> Any:
    def fail(*_: Any) -> Any:
        raise error("secret")

    return fail


def hostile(name: str, error: type[BaseException], bases: tuple[type, ...] = ()) -> type:
    """A class of which one method or attribute raises."""
    value = property(raiser(error)) if name in ("x", "why", "__class__", "message", "type") else raiser(error)
    return type("Hostile", bases, {name: value})


def refused(case: Case, method: str) -> str:
    """The id in the answer; the one failure has it, and nothing is left in flight."""
    case.failures.clear()
    with pytest.raises(ApplicationError) as caught:
        case.call(method)
    (failure,) = case.failures
    assert (caught.value.type, caught.value.message) == (6, f"internal error, id {failure.error_id}")
    assert case.board.calls(1) == []
    assert case.processor.active == 0
    case.handler.result = lambda: 1
    assert case.call("whole") == 1
    return str(failure.outcome)


@pytest.mark.parametrize("error", RAISED)
@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("whole", "__index__"),
        ("real", "__float__"),
        ("truth", "__eq__"),
        ("box", "x"),
        ("box", "__class__"),
        ("text", "__class__"),
        ("many", "__len__"),
        ("many", "__iter__"),
        ("pairs", "__class__"),
    ],
)
def test_a_result_of_which_any_method_raises_anything(
    case: Case, method: str, name: str, error: type[BaseException]
) -> None:
    made = hostile(name, error)()
    case.handler.result = lambda: made
    assert refused(case, method) == "bad_result"


@pytest.mark.parametrize("error", RAISED)
@pytest.mark.parametrize("name", ["__hash__", "__eq__", "__index__"])
def test_members_of_which_any_method_raises_anything(case: Case, name: str, error: type[BaseException]) -> None:
    if name != "__index__" and error is TypeError:
        return  # that is how Python says that there is no hash: then bytes tell what is equal
    armed = {"__hash__": lambda self: 1, "__eq__": lambda self, other: False, "__index__": lambda self: 1}
    cls = type("Member", (), armed | {name: raiser(error)})
    made = [cls(), cls()]
    case.handler.result = lambda: made
    assert refused(case, "once") == "bad_result"


@pytest.mark.parametrize("error", RAISED)
@pytest.mark.parametrize("name", ["__str__", "__repr__", "__class__", "__getattribute__", "why"])
@pytest.mark.parametrize("known", ["Oops", "TApplicationException", "Stranger"])
def test_exceptions_of_which_any_method_raises_anything(
    case: Case, api: Api, name: str, error: type[BaseException], known: str
) -> None:
    cls = type(known, (hostile(name, error, (Exception,)),), {})
    made = cls("secret")
    case.handler.result = lambda: (_ for _ in ()).throw(made)
    silent = error is AttributeError  # then it has no type and no text, and says nothing
    if (
        (known, name) == ("TApplicationException", "__getattribute__") and not silent
    ) or known != "TApplicationException":
        if known == "Oops" and name in ("__str__", "__repr__", "__class__"):
            cls.why = "declared"  # type: ignore[attr-defined]
            with pytest.raises(api.Oops):
                case.call("whole")
            return
        refused(case, "whole")
    else:
        with pytest.raises(ApplicationError):
            case.call("whole")
    for said in (describe(made), reason(made), text_of(made), plain(made), trace(made, 1000)):
        assert isinstance(said, str)


def test_what_metaclasses_say(case: Case) -> None:
    class Meta(type):
        @property
        def __name__(cls) -> str:  # type: ignore[override]
            raise SystemExit

        @property
        def __module__(cls) -> str:  # type: ignore[override]
            raise KeyboardInterrupt

        def __subclasscheck__(cls, other: type) -> bool:
            raise GeneratorExit

    made = Meta("Hostile", (Exception,), {})("secret")
    assert class_name(made) == "Hostile"
    for result in (made, lambda: 1):
        case.handler.result = lambda result=result: result
        assert refused(case, "box") == "bad_result"

    def fail() -> Any:
        raise made

    case.handler.result = fail
    refused(case, "whole")


@pytest.mark.parametrize(
    ("type_", "said"),
    [(2**40, "x"), (-(2**31) - 1, "x"), ("6", "x"), (None, "x"), (1.5, "x"), (6, None), (6, b"x"), (6, 17), (6, ["x"])],
)
def test_application_errors_that_have_no_bytes(case: Case, type_: Any, said: Any) -> None:
    def ours() -> Any:
        raise ApplicationError(type_, said)

    def theirs() -> Any:
        error = type("TApplicationException", (Exception,), {})("x")
        error.type, error.message = type_, said  # type: ignore[attr-defined]
        raise error

    for raising in (ours, theirs):
        if raising is theirs and said is None:
            continue  # Apache's way of saying nothing
        case.handler.result = raising
        assert refused(case, "whole") == "bad_result"
        assert str(case.failures[0].error).startswith(("the type of", "the message of"))


@pytest.mark.parametrize("said", ["\ud800", "x\udfff", "", "é" * 1000])
def test_application_errors_with_odd_texts_are_answered_as_raised(case: Case, said: str) -> None:
    def fail() -> Any:
        raise ApplicationError(42, said)

    case.handler.result = fail
    with pytest.raises(ApplicationError) as caught:
        case.call("whole")
    assert caught.value.type == 42


def test_a_deadline_that_passes_in_the_encoding_is_a_timeout(case: Case) -> None:
    class Late:
        @property
        def x(self) -> int:
            raise DeadlineExceeded("box: the deadline has passed")

    case.handler.result = Late
    with pytest.raises(ApplicationError) as caught:
        case.call("box")
    assert caught.value.type == 12 or "took longer" in caught.value.message
    assert case.outcomes("box") == {"timeout": 1}
    assert case.failures == []
    assert case.board.calls(1) == []


def test_whoever_is_told_may_fail(case: Case) -> None:
    heard: list[str] = []

    def broken(_call: Any) -> None:
        heard.append("failure")
        raise SystemExit

    def observer(_call: Any) -> None:
        heard.append("observer")
        raise KeyboardInterrupt

    def on_broken(*_: Any) -> None:
        heard.append("broken")
        raise GeneratorExit

    case.processor.on_failure, case.processor.on_broken = broken, on_broken
    case.processor.observers = [observer]
    case.handler.result = lambda: "no number"
    for _ in range(2):
        with pytest.raises(ApplicationError, match="internal error, id"):
            case.call("whole")
    assert heard == ["failure", "observer", "broken", "failure"]
    assert case.board.calls(1) == []


@pytest.mark.parametrize("known", ["declared", "undeclared", "application", "cause", "context", "group"])
def test_an_exception_that_is_raised_again_and_again_does_not_grow(case: Case, api: Api, known: str) -> None:
    kept: list[Any] = []
    case.processor.observers = [lambda call: kept.append(facts(call))]
    made: Any = {"declared": api.Oops("always"), "application": ApplicationError(42, "always")}.get(
        known, ValueError("always")
    )

    def fail() -> Any:
        if known == "cause":
            try:
                raise made
            except ValueError as error:
                raise KeyError from error
        if known == "context":
            try:
                raise made
            except ValueError:
                raise KeyError  # noqa: B904
        if known == "group":
            try:
                raise made
            except ValueError as error:
                raise ExceptionGroup("all", [error])  # noqa: B904
        raise made

    case.handler.result = fail
    for _ in range(1000):
        reply = case.processor.process(message(1, "whole"))
        assert reply is not None
        case.failures.clear()
    assert len(kept) == 1000
    length, step = 0, made.__traceback__
    while step is not None:
        length, step = length + 1, step.tb_next
    assert length == 0
    gc.collect()
    assert made.__context__ is None


def test_an_unknown_name_is_compared_with_others_only_so_often(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def closest(name: str, names: Any) -> str:
        asked.append(name)
        return "whole"

    monkeypatch.setattr("thriftserver.rpc.guesses.closest", closest)
    answers = [case.processor.process(message(1, "whule")) for _ in range(500)]
    assert answers[0] is not None
    assert b"did you mean 'whole'" in answers[0]
    assert all(answer is not None and b"no method 'whule'" in answer for answer in answers)
    assert len(asked) < 100
    assert case.processor.process(message(1, "e" * 256)) is not None
    assert "e" * 256 not in asked


def test_arguments_that_others_change_while_they_are_used(case: Case) -> None:
    """What is called has its arguments to itself, even where it is C that only borrows them."""
    calls: list[Any] = []

    class Key:
        def __hash__(self) -> int:
            thriftserver.current_call().args.clear()
            gc.collect()
            return 1

    def result() -> Any:
        calls.append({}.get(Key(), 7))
        return calls[-1]

    case.handler.result = result
    assert case.call("whole") == 7


def test_a_frame_is_whole_whatever_was_put_before_it_failed(case: Case) -> None:
    case.handler.result = lambda: [1] * 5000 + ["x"]
    refused(case, "many")
    reply = case.processor.process(binary.encode_call(case.plans["whole"], 9, []), 4)
    assert reply is not None
    assert struct.unpack_from(">i", reply)[0] == len(reply) - 4
