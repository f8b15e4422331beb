"""Handlers whose methods are coroutines: asyncio works in them, and the server treats them as calls like any other."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from tests.harness import Server, run
from tests.load import Load
from tests.server.later import ARGS, write_later
from tests.server.raw import EXCEPTION, ONEWAY, Peer, field, message, text
from tests.server.test_stacks import frames
from tests.server.waiting import add, named, said
from thriftserver.assignment import TELL


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_later(tmp_path)


def quiet(server: Server) -> bool:
    """Has nothing been said that is no event?"""
    return not (server.other or server.found("printed") or server.found("log"))


WITH_ASYNCIO = {
    "streams": "ONE TWO",
    "threads": "with_asyncio with_asyncio",
    "subprocess": "cba 3 4 20",
    "processes": "7",
    "groups": "0 with_asyncio 1 with_asyncio queued late",
    "locks": "",  # of gevent, which threads cannot share
    "names": "127.0.0.1:80",
}


@pytest.mark.parametrize("options", [(), ("--no-monkey-patch",)], ids=["patched", "unpatched"])
def test_what_is_asyncio_s_works_in_handlers(folder: Path, options: tuple[str, ...]) -> None:
    with Server(*ARGS, *options, cwd=folder) as server, Peer(server) as peer:
        for what, told in WITH_ASYNCIO.items():
            assert said(peer.ask(named("with_asyncio", what))) == told
    assert server.found("torn down", same=True)
    assert quiet(server)


def test_a_call_has_a_context_of_its_own_which_its_tasks_share(folder: Path, env: dict[str, str]) -> None:
    with Server(*ARGS, cwd=folder, env=env) as server:
        peers = [Peer(server) for _ in range(8)]
        for number, peer in enumerate(peers):
            peer.send(named("who", f"caller {number}", number))
        for number, peer in enumerate(peers):
            assert said(peer.answer()) == f"nothing caller {number}"
            line = server.wait("said", seqid=number)
            assert (line["text"], line["task"], line["peer"]) == (f"caller {number}",) * 2 + (peer.name,)
            assert line["method"] == "who"
            peer.sock.close()


KINDS = """
import asyncio, functools
import thriftserver

async def answer(text, more=None): return f"{thriftserver.current_call().method} {text} {more}"

def plain(function):
    @functools.wraps(function)
    def run(self, text): return function(self, text)
    return run

def runs(function):
    @functools.wraps(function)
    def run(self, text): return asyncio.run(function(self, text))
    return run

def later(function):
    @functools.wraps(function)
    async def run(self, text): return function(self, text)
    return run

class Called:
    async def __call__(self, text): return await answer(text)

class Impl:
    part = functools.partial(answer, more="more")
    called = Called()
    static = staticmethod(answer)

    @plain
    async def wrapped(self, text): return await answer(text)

    @runs
    async def by_itself(self, text): return await answer(text)

    @later
    def decorated(self, text): return f"decorated {text} None"

    async def _nothing(self): pass
    def forgotten(self): return self._nothing()
    def misfit(self, text): return answer(text)
    def told(self): return self._nothing()
"""
WRAPPED = ("wrapped", "by_itself", "decorated")
KINDS_IDL = (
    "service S { "
    + " ".join(f"string {name}(1: string text)" for name in ("part", "called", "static", *WRAPPED))
    + " void forgotten() string misfit(1: string text) oneway void told() }"
)


def test_coroutine_functions_of_all_kinds_are_awaited(tmp_path: Path, env: dict[str, str]) -> None:
    (tmp_path / "kinds.thrift").write_text(KINDS_IDL)
    (tmp_path / "kinds.py").write_text(KINDS)
    args = ("--idl", "kinds.thrift", "--handler", "kinds:Impl")
    with Server(*args, cwd=tmp_path, env=env) as server, Peer(server) as peer:
        for name in ("called", "static", *WRAPPED):
            assert said(peer.ask(named(name, "text"))) == f"{name} text None"
        assert said(peer.ask(named("part", "text"))) == "part text more"
        # What cannot be known beforehand is at least no silent success.
        for name in ("forgotten", "misfit"):
            answer = peer.ask(named(name, "text"))
            assert answer is not None
            assert answer.type == 6
            assert "coroutine" in server.wait("handler_failed", method=name)["error"]
        peer.send(message("told", kind=ONEWAY))
        assert "write it as async def" in server.wait("handler_failed", method="told")["error"]
    done = run(tmp_path, "check", *args)
    assert done.stdout == "ok: kinds:Impl answers every method of S (9, 4 of them async)\n"


FAILURES = ["value", "cancelled", "child", "exit", "interrupt", "generator", "silent", "stop", "base", "misfit"]
FAILURES.append("coroutine")


def test_whatever_a_coroutine_fails_with_is_one_answer_and_one_line(folder: Path, env: dict[str, str]) -> None:
    with Server(*ARGS, "--access-log", "all", cwd=folder, env=env) as server, Peer(server) as peer:
        for place, how in enumerate(FAILURES, 1):
            answer = peer.ask(named("fail", how, place))
            assert answer is not None
            assert (answer.kind, answer.type, answer.seqid) == (EXCEPTION, 6, place)
            identifier = answer.message.removeprefix("internal error, id ")
            line = server.wait("handler_failed", place)
            assert line["error_id"] == identifier
            assert server.wait("call", seqid=place)["outcome"] in ("undeclared", "bad_result")
        peer.send(message("note", field(11, 1, text("oneway")) + b"\0", ONEWAY))
        server.wait("handler_failed", method="note")
        assert peer.ask(add(1, 2)) is not None
        assert len(server.found("handler_failed")) == len(FAILURES) + 1
        assert not server.found("task_failed")
    assert server.wait("worker_exit")["code"] == 0


@pytest.mark.parametrize("method", ["wait", "on_a_thread", "stubborn"])
def test_a_call_past_its_deadline_is_answered_and_its_task_cancelled(
    folder: Path, env: dict[str, str], method: str
) -> None:
    options = ("--request-timeout", "200ms", "--max-inflight", "1")
    with Server(*ARGS, *options, cwd=folder, env=env) as server, Peer(server) as slow, Peer(server) as other:
        answer = slow.ask(named(method, "never"))
        assert answer is not None
        assert (answer.type, answer.message) == (12, f"{method} took longer than its 0.2 s")
        assert other.ask(add(1, 1)) is not None  # nothing that runs on counts as a call
        if method != "on_a_thread":
            server.wait("cancelled", name="never")
        (folder / "never").touch()
        assert said(slow.ask(named("wait", "never"))) == "never"
    assert server.wait("worker_exit")["code"] == 0
    assert not server.found("handler_failed")
    assert quiet(server)


def test_what_a_task_raises_behind_its_deadline_is_a_line(folder: Path) -> None:
    with Server(*ARGS, "--method-timeout", "angry=200ms", cwd=folder) as server, Peer(server) as peer:
        answer = peer.ask(named("angry", "never", 9))
        assert answer is not None
        assert answer.type == 12
        line = server.wait("task_failed", method="angry", seqid=9)
        assert line["error"] == "ValueError: cancelled, in anger"
        assert peer.ask(add(1, 1)) is not None
    assert not server.found("handler_failed")


def test_a_call_whose_deadline_passes_before_its_task_begins_is_not_run(folder: Path) -> None:
    with Server(*ARGS, "--method-timeout", "wait=200ms", cwd=folder) as server:
        with Peer(server) as blocks, Peer(server) as late:
            blocks.send(named("spin", "1.0"))
            server.wait("spinning")
            assert late.ask(named("wait", "never")).type == 12  # type: ignore[union-attr]
            assert said(blocks.answer()) == "spun"
            assert late.ask(add(1, 1)) is not None
        assert not server.found("waiting")


def test_many_calls_wait_at_once_on_one_worker_and_no_more_than_may(folder: Path, env: dict[str, str]) -> None:
    with Server(*ARGS, "--max-inflight", "200", cwd=folder, env=env) as server:
        peers = [Peer(server) for _ in range(250)]
        for number, peer in enumerate(peers):
            peer.send(named("wait", "go", number))
        server.wait("waiting", 200)
        (worker,) = server.workers()
        os.kill(worker, TELL)
        assert server.wait("stacks")["calls"] == 200
        assert len(server.found("waiting")) == 200
        (folder / "go").touch()
        for number, peer in enumerate(peers):
            answer = peer.answer()
            assert answer is not None
            assert (said(answer), answer.seqid) == ("go", number)
            peer.sock.close()


def test_reloads_lose_no_call(folder: Path) -> None:
    with Server(*ARGS, "-w", "2", cwd=folder) as server:
        with Load(server, 16) as load:
            for number in range(1, 4):
                before = load.calls
                server.signal(signal.SIGHUP)
                server.wait("reloaded", number)
                server.wait("worker_exit", 2 * number, code=0)
                server.eventually(lambda before=before: load.calls > before + 200, "calls")  # type: ignore[misc]
        assert load.clean(), load
    assert not server.found("tasks_left")
    assert quiet(server)


def test_a_killed_worker_s_calls_are_named(folder: Path) -> None:
    with Server(*ARGS, cwd=folder) as server:
        peers = [Peer(server) for _ in range(5)]
        for number, peer in enumerate(peers):
            peer.send(named("wait", "never", number))
        server.wait("waiting", 5)
        os.kill(server.workers()[0], signal.SIGKILL)
        server.wait("worker_ready", 2)
        lost = {(line["method"], line["peer"], line["seqid"]) for line in server.found("call_lost")}
        assert lost == {("wait", peer.name, number) for number, peer in enumerate(peers)}
        for peer in peers:
            peer.sock.close()


def test_stacks_are_those_of_coroutines(folder: Path, env: dict[str, str]) -> None:
    options = ("--access-log", "slow", "--slow-call", "150ms")
    with Server(*ARGS, *options, cwd=folder, env=env) as server, Peer(server) as waits, Peer(server) as plain:
        waits.send(named("wait", "go", 1))
        plain.send(named("plain", "go", 2))
        for seqid, method in ((1, "wait"), (2, "plain")):
            line = server.wait("slow_call", seqid=seqid)
            assert line["method"] == method
        assert frames(server.wait("slow_call", seqid=1)["stack"])[:3] == ["wait", "until", "sleep"]
        assert frames(server.wait("slow_call", seqid=2)["stack"])[0] == "plain"
        os.kill(server.workers()[0], TELL)
        assert server.wait("stacks")["calls"] == 2
        assert frames(server.wait("stack", seqid=1)["stack"])[:3] == ["wait", "until", "sleep"]
        (folder / "go").touch()
        assert [said(peer.answer()) for peer in (waits, plain)] == ["go", "go"]


def test_a_blocked_asyncio_is_told_once_and_others_go_on(folder: Path, env: dict[str, str]) -> None:
    with Server(*ARGS, cwd=folder, env=env) as server, Peer(server) as blocks, Peer(server) as plain:
        blocks.send(named("spin", "2.5"))
        (folder / "go").touch()
        assert said(plain.ask(named("plain", "go"))) == "go"
        line = server.wait("asyncio_blocked")
        assert line["method"] == "Later.spin"
        assert frames(line["stack"])[0] == "spin"
        assert said(blocks.answer()) == "spun"
        assert len(server.found("asyncio_blocked")) == 1
        assert not server.found("loop_blocked")


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP])
def test_a_worker_that_ends_waits_for_its_coroutines(folder: Path, how: signal.Signals) -> None:
    with Server(*ARGS, cwd=folder) as server, Peer(server) as peer:
        peer.send(named("wait", "go"))
        server.wait("waiting")
        server.signal(how)
        server.wait("stopping" if how is signal.SIGTERM else "reloaded")
        (folder / "go").touch()
        assert said(peer.answer()) == "go"
        server.wait("worker_exit", code=0)
        assert server.found("torn down", same=True)
    assert not server.found("cancelled")
    assert quiet(server)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_what_is_left_of_calls_is_cancelled_before_the_teardown(folder: Path, how: signal.Signals) -> None:
    with Server(*ARGS, "--graceful-timeout", "0.3s", cwd=folder) as server, Peer(server) as peer, Peer(server) as other:
        peer.send(named("wait", "never"))
        other.send(named("plain", "never"))
        server.wait("waiting", 2)
        server.signal(how)
        assert server.wait("worker_exit")["code"] == 0
        assert server.exit_code() == 0
    events = [each["event"] for each in server.events if each["event"] in ("cancelled", "torn down")]
    assert events == ["cancelled", "torn down"]
    assert {line["method"] for line in server.found("call_lost")} == {"wait", "plain"}
    assert not server.found("tasks_left")
    assert not server.found("handler_failed")
    assert quiet(server)


def test_tasks_that_handlers_leave_are_ended_with_the_worker(folder: Path) -> None:
    with Server(*ARGS, cwd=folder) as server, Peer(server) as peer:
        for how in ("waiting", "stubborn", "generator"):
            peer.ask(named("leave", how))
    assert server.wait("worker_exit")["code"] == 0
    for how in ("waiting", "stubborn"):
        assert server.found("left is cancelled", how=how)
    assert server.found("generator closed")
    assert [line["tasks"] for line in server.found("tasks_left")] == [1]
    assert quiet(server)


@pytest.mark.parametrize(("how", "error"), [("failing", "ValueError"), ("exit", "SystemExit")])
def test_a_task_that_fails_behind_its_call_is_a_line(folder: Path, how: str, error: str) -> None:
    with Server(*ARGS, cwd=folder) as server, Peer(server) as peer:
        assert said(peer.ask(named("leave", how))) == how
        line = server.wait("task_failed")
        assert error in line["error"] or "left behind" in line["error"]
        assert "in failing" in line["traceback"]
        assert peer.ask(add(1, 2)) is not None
    assert server.wait("worker_exit")["code"] == 0
    assert quiet(server)


def test_middleware_is_around_coroutines(folder: Path, env: dict[str, str]) -> None:
    with Server(*ARGS, "--middleware", "later:outer", cwd=folder, env=env) as server, Peer(server) as peer:
        assert said(peer.ask(named("who", "text"))) == "by middleware text! by middleware"
    done = run(folder, "check", *ARGS, "--middleware", "later:later")
    assert done.returncode == 4
    assert "middleware later:later is async: write a plain def, whose proceed() waits" in done.stderr


def test_plain_methods_and_middleware_on_threads_reach_the_loop(folder: Path, env: dict[str, str]) -> None:
    """In a service with both kinds of methods."""
    options = ("--middleware", "later:on_a_thread")
    with Server(*ARGS, *options, cwd=folder, env=env) as server:
        peers = [Peer(server) for _ in range(12)]
        for number, peer in enumerate(peers):
            peer.send(named(("with_asyncio", "by_plain")[number % 2], "streams", number))
        for number, peer in enumerate(peers):
            answer = peer.answer()
            assert answer is not None
            assert (said(answer), answer.seqid) == ("ONE TWO", number)
            peer.sock.close()
    assert quiet(server)


TRACED = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

import later

trace.set_tracer_provider(TracerProvider())


class Impl(later.Impl):
    async def who(self, text):
        return trace.get_current_span().name
"""


def test_a_span_is_current_in_a_coroutine(folder: Path) -> None:
    (folder / "traced.py").write_text(TRACED)
    args = (*ARGS[:2], "--handler", "traced:Impl", "--middleware", "thriftserver.tracing:middleware")
    with Server(*args, cwd=folder) as server, Peer(server) as peer:
        assert said(peer.ask(named("who", ""))) == "Later/who"


def test_children_that_coroutines_fork_have_no_loop(folder: Path, env: dict[str, str]) -> None:
    with Server(*ARGS, cwd=folder, env=env) as server, Peer(server) as peer:
        for how, code in (("returns", "0"), ("fails", "1"), ("waits", "1")):
            assert said(peer.ask(named("fork", how))) == code
        assert server.wait("child_failed")["error"] == "ValueError: in the child"
        assert "it ends where its code awaits" in server.wait("child_failed", 2)["error"]
        assert said(peer.ask(named("with_asyncio", "streams"))) == "ONE TWO"


@pytest.mark.parametrize("name", ["setup", "teardown"])
def test_a_lifecycle_method_that_fails(folder: Path, name: str) -> None:
    path = folder / "later.py"
    path.write_text(
        re.sub(rf"async def {name}\(self\):", rf"\g<0>\n        raise ValueError('no {name}')", path.read_text())
    )
    with Server(*ARGS, cwd=folder, ready=name == "teardown") as server:
        if name == "setup":
            assert server.exit_code() == 4
            assert "later:Impl: setup() raised ValueError: no setup" in " ".join(server.other)
