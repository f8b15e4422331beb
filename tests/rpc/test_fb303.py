"""The methods of fb303 that a handler does not write: who answers, with what, as other libraries' clients see it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import thriftpy2
from thriftpy2.protocol.binary import TBinaryProtocol
from thriftpy2.thrift import TApplicationException, TClient

import thriftserver
from tests.harness import PATIENCE, Server
from thriftserver.compiled import choose
from thriftserver.errors import HandlerError
from thriftserver.idl import standard
from thriftserver.rpc.binding import Bound, bind, fit, require_fit, target_of
from thriftserver.rpc.fb303 import MAX_OPTION, MAX_OPTIONS, Provider, Status
from thriftserver.rpc.method import make_methods
from thriftserver.schema.model import Service
from thriftserver.scoreboard.board import Board

TOP = 'include "middle.thrift"\nservice Top extends middle.Middle { i32 twice(1: i32 x) }\n'
MIDDLE = 'include "share/fb303/if/fb303.thrift"\nservice Middle extends fb303.FacebookService { string middle() }\n'


class Handler:
    def twice(self, x: int) -> int:
        return 2 * x

    def middle(self) -> str:
        return "between"


class Careful(Handler):
    def getStatus(self) -> int:
        return Status.WARNING

    def getCounters(self) -> dict[str, int]:
        return {"own": 1}


def service() -> Service:
    api = thriftserver.load("top.thrift", files={"top.thrift": TOP, "middle.thrift": MIDDLE})
    found: Service = api.Top.__thrift__
    return found


class Wire:
    """A transport of thriftpy2's whose other end is a processor."""

    def __init__(self, processor: Any) -> None:
        self.processor = processor
        self.sent = b""
        self.received = io.BytesIO()

    def write(self, data: bytes) -> None:
        self.sent += data

    def flush(self) -> None:
        frame, self.sent = self.sent, b""
        reply = self.processor.process(frame)
        self.received = io.BytesIO(b"" if reply is None else reply[4:])

    def read(self, size: int) -> bytes:
        return self.received.read(size)


def client(bound: Bound) -> Any:
    """thriftpy2's client of fb303, with its own reading of the same file, before a processor for a handler."""
    methods = make_methods([bound])
    board = Board.create(1, 16)
    slot = choose("scoreboard.slot").Slot(board.slot_words(1), board.plan)
    slot.open(1, 1, [(each.service, each.name, each.throws) for each in methods], 0)
    failures: list[Any] = []
    processor = choose("rpc.processor").Processor(methods, slot, failures.append)
    return SimpleNamespace(
        call=TClient(thriftpy2.load(standard.find("fb303.thrift")).FacebookService, TBinaryProtocol(Wire(processor))),
        failures=failures,
    )


def test_a_handler_need_not_write_them() -> None:
    bound = Bound(service(), Handler(), "test")
    assert fit(bound) == []
    peer = client(bound)
    assert peer.call.getName() == "Top"
    assert peer.call.getVersion() == ""
    assert peer.call.getStatus() == Status.ALIVE
    assert peer.call.getStatusDetails() == ""
    assert peer.call.getCounters() == {}
    assert peer.call.getCounter("calls") == 0
    assert peer.call.getOptions() == {}
    assert peer.call.getOption("color") == ""
    assert peer.call.setOption("color", "red") is None
    assert (peer.call.getOption("color"), peer.call.getOptions()) == ("red", {"color": "red"})
    assert peer.call.getCpuProfile(1) == ""
    assert peer.call.aliveSince() == bound.provider.alive_since > 1_700_000_000
    assert peer.call.reinitialize() is None
    assert peer.call.shutdown() is None
    assert peer.failures == []


def test_the_provider_speaks() -> None:
    asked = []
    provider = Provider(
        name="shop",
        version="1.2",
        alive_since=17,
        status=lambda: Status.STARTING,
        details=lambda: "reading",
        counters=lambda: {"calls": 2**40},
        options={"a": "b"},
        reinitialize=lambda: asked.append("reinitialize"),
        shutdown=lambda: asked.append("shutdown"),
    )
    peer = client(Bound(service(), Handler(), "test", provider))
    assert (peer.call.getName(), peer.call.getVersion(), peer.call.aliveSince()) == ("shop", "1.2", 17)
    assert (peer.call.getStatus(), peer.call.getStatusDetails()) == (Status.STARTING, "reading")
    assert (peer.call.getCounters(), peer.call.getCounter("calls")) == ({"calls": 2**40}, 2**40)
    assert peer.call.getOptions() == {"a": "b"}
    peer.call.reinitialize()
    peer.call.shutdown()
    assert asked == ["reinitialize", "shutdown"]


def test_what_a_handler_writes_itself_counts() -> None:
    bound = Bound(service(), Careful(), "test")
    assert require_fit(bound) == []
    peer = client(bound)
    assert peer.call.getStatus() == Status.WARNING
    assert peer.call.getCounters() == {"own": 1}
    assert peer.call.getName() == "Top"
    functions = {function.name: function for function in bound.service.methods()}
    assert target_of(bound, functions["getStatus"]) == bound.target.getStatus
    assert target_of(bound, functions["twice"]) == bound.target.twice


def test_a_method_of_its_own_is_as_missing_as_ever() -> None:
    class Half:
        def twice(self, x: int) -> int:
            return x

    with pytest.raises(HandlerError) as caught:
        require_fit(Bound(service(), Half(), "test"))
    (line,) = caught.value.problems
    assert "Top.middle is missing in test" in line


def test_an_own_method_that_cannot_take_its_arguments_is_no_reason_for_the_default() -> None:
    class Wrong(Handler):
        def getCounter(self) -> int:
            return 0

    with pytest.raises(HandlerError, match="cannot take 1 argument"):
        require_fit(Bound(service(), Wrong(), "test"))


def test_only_fb303_has_defaults() -> None:
    text = "service FacebookService { string getName() } service Other { string getName() }"
    for name, module, problems in [
        ("FacebookService", "fb303", 0),
        ("FacebookService", "other", 1),
        ("Other", "fb303", 1),
    ]:
        api = thriftserver.load(f"{module}.thrift", files={f"{module}.thrift": text})
        assert len(fit(Bound(getattr(api, name).__thrift__, object(), "test"))) == problems


def test_methods_that_other_versions_have_are_not_made_up() -> None:
    text = "service FacebookService { string getName() map<string,i64> getRegexCounters(1: string regex) }"
    api = thriftserver.load("fb303.thrift", files={"fb303.thrift": text})
    (problem,) = fit(Bound(api.FacebookService.__thrift__, object(), "test"))
    assert "getRegexCounters is missing" in str(problem)


def test_options_come_to_an_end() -> None:
    peer = client(Bound(service(), Handler(), "test"))
    for number in range(MAX_OPTIONS):
        peer.call.setOption(f"{number}", "x")
    peer.call.setOption("7", "y")
    with pytest.raises(TApplicationException, match="1000 options"):
        peer.call.setOption("one more", "x")
    with pytest.raises(TApplicationException, match="4096 characters"):
        peer.call.setOption("7", "x" * MAX_OPTION)
    assert peer.call.getOption("7") == "y"
    assert len(peer.call.getOptions()) == MAX_OPTIONS


def test_handlers_of_one_process_share_a_provider(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (
        'include "fb303.thrift" service A extends fb303.FacebookService {} service B extends fb303.FacebookService {}'
    )
    module = thriftserver.load("m.thrift", files={"m.thrift": text}).__thrift__
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "shared_provider.py").write_text("class Impl: pass\n")
    a, b = bind(["A=shared_provider:Impl", "B=shared_provider:Impl"], "", [module])
    client(a).call.setOption("set", "in A")
    assert client(b).call.getOption("set") == "in A"
    assert [client(each).call.getName() for each in (a, b)] == ["A", "B"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "middle.thrift").write_text(MIDDLE)
    (tmp_path / "top.thrift").write_text(TOP)
    (tmp_path / "impl.py").write_text(
        "class Impl:\n    def twice(self, x): return 2 * x\n    def middle(self): return 'between'\n"
    )
    with Server("--idl", "top.thrift", "--handler", "impl:Impl", cwd=tmp_path) as server:
        yield server


def test_a_server_answers_them(server: Server, tmp_path: Path) -> None:
    api = thriftserver.load(tmp_path / "top.thrift")
    assert not server.found("handler_problem")
    with api.Top.Client(server.host, server.port, timeout=PATIENCE) as top:
        assert (top.getName(), top.getStatus(), top.twice(4)) == ("Top", Status.ALIVE, 8)
        top.shutdown()
        assert top.aliveSince() > 1_700_000_000
