"""Limits, threads, pipelining, middleware: what keeps one caller from harming the others, compiled and pure."""

from __future__ import annotations

import os
import signal
import socket
import struct
import time
from pathlib import Path

import pytest

from tests.harness import PATIENCE, Server
from tests.server.raw import REPLY, Peer, field, i32, message
from tests.server.waiting import ARGS, add, named, said, write_waiting


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_waiting(tmp_path)


def test_a_call_past_its_deadline_is_answered_and_its_handler_told(folder: Path, env: dict[str, str]) -> None:
    options = ("--request-timeout", "300ms")
    with Server(*ARGS, *options, cwd=folder, env=env) as server, Peer(server) as slow, Peer(server) as other:
        slow.send(named("wait", "never"))
        server.wait("waiting", name="never")
        assert other.ask(add(1, 1)) is not None  # others go on
        answer = slow.answer()
        assert answer is not None
        assert (answer.type, answer.message) == (12, "wait took longer than its 0.3 s")
        server.wait("expired", name="never")
        answer = slow.ask(named("stubborn", "never"))  # one that will not be told
        assert answer is not None
        assert answer.type == 12
        answer = slow.ask(message("spin", field(4, 1, struct.pack(">d", 0.4)) + b"\0"))  # one that cannot be
        assert answer is not None
        assert answer.type == 12
        assert slow.ask(add(1, 2)) is not None


def test_a_method_s_own_limit_comes_from_the_idl_or_the_options(folder: Path) -> None:
    options = ("--method-timeout", "wait=200ms", "--method-timeout", "Demo.add=1s")
    with Server(*ARGS, *options, cwd=folder) as server, Peer(server) as peer:
        for method, limit in (("brief", "0.15 s"), ("wait", "0.2 s")):
            answer = peer.ask(named(method, "never"))
            assert answer is not None
            assert (answer.type, answer.message) == (12, f"{method} took longer than its {limit}")
        (folder / "now").touch()
        assert said(peer.ask(named("stubborn", "now"))) == "now"


def test_calls_above_max_inflight_wait_and_are_refused_when_they_waited_too_long(
    folder: Path, env: dict[str, str]
) -> None:
    options = ("--max-inflight", "2", "--queue-timeout", "300ms")
    with Server(*ARGS, *options, cwd=folder, env=env) as server:
        busy = [Peer(server) for _ in range(2)]
        for number, each in enumerate(busy):
            each.send(named("wait", f"go{number}"))
            server.wait("waiting", name=f"go{number}")
        with Peer(server) as late, Peer(server) as later:
            answer = late.ask(add(1, 1))
            assert answer is not None
            assert (answer.type, answer.message) == (11, "the server is overloaded; try again later")
            later.send(add(2, 2))
            (folder / "go0").touch()
            answer = later.answer()
            assert answer is not None
            assert answer.kind == REPLY
        (folder / "go1").touch()
        for each in busy:
            assert said(each.answer()).startswith("go")
            each.sock.close()


def test_the_call_of_a_caller_who_has_left_is_not_run(folder: Path, env: dict[str, str]) -> None:
    with (
        Server(*ARGS, "--max-inflight", "1", cwd=folder, env=env) as server,
        Peer(server) as busy,
        Peer(server) as last,
    ):
        gone = Peer(server)
        for peer in (gone, last):  # they are known to the worker
            assert peer.ask(add(1, 1)) is not None
        busy.send(named("wait", "go"))
        server.wait("waiting", name="go")
        gone.send(named("wait", "go too"))
        pause(server)  # until it is noticed as one that waits
        gone.reset()
        last.send(add(1, 2))
        pause(server)
        (folder / "go").touch()
        assert said(busy.answer()) == "go"
        answer = last.answer()
        assert answer is not None
        assert answer.kind == REPLY
        assert not server.found("waiting", name="go too")


def test_a_new_connection_is_taken_while_nothing_more_may_run(folder: Path, env: dict[str, str]) -> None:
    options = ("--max-inflight", "1", "--queue-timeout", "300ms")
    with Server(*ARGS, *options, cwd=folder, env=env) as server, Peer(server) as busy:
        busy.send(named("wait", "go"))
        server.wait("waiting", name="go")
        with Peer(server) as late:
            answer = late.ask(add(1, 1))  # refused when its time is up, so it was taken
            assert answer is not None
            assert answer.type == 11
        (folder / "go").touch()
        assert said(busy.answer()) == "go"


def pause(server: Server, seconds: float = 0.1) -> None:
    """By default ten times as long as a call must have waited to be worth a look whether its caller is still there."""
    since = time.monotonic()
    server.eventually(lambda: time.monotonic() > since + seconds, "time")


def test_a_peer_that_does_not_read_is_dropped(folder: Path, env: dict[str, str]) -> None:
    with Server(*ARGS, "--write-timeout", "300ms", cwd=folder, env=env) as server, Peer(server) as deaf:
        request = message("big", field(8, 1, i32(8_000_000)) + b"\0")
        deaf.send(request)
        assert server.wait("connection_closed", peer=deaf.name)["reason"] == "write_timeout"
        with Peer(server) as other:
            assert other.ask(add(1, 1)) is not None


def test_a_peer_that_reads_slowly_is_not_dropped(folder: Path) -> None:
    with Server(*ARGS, "--write-timeout", "400ms", cwd=folder) as server, Peer(server) as slow:
        slow.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        slow.send(message("big", field(8, 1, i32(12_000_000)) + b"\0"))
        size = struct.unpack(">i", slow.exactly(4))[0]
        while size > 0:  # far slower than the server sends, though never still
            size -= len(slow.sock.recv(min(size, 200_000)))
            server.until(lambda: True, "a moment")
        assert not server.found("connection_closed")


def test_an_idle_connection_is_closed(folder: Path, env: dict[str, str]) -> None:
    with Server(*ARGS, "--idle-timeout", "300ms", cwd=folder, env=env) as server, Peer(server) as idle:
        assert idle.ask(add(1, 1)) is not None
        assert idle.rest() == b""


def test_several_calls_of_one_connection_run_at_once_and_are_answered_in_order(
    folder: Path, env: dict[str, str]
) -> None:
    with Server(*ARGS, "--pipeline", "3", cwd=folder, env=env) as server, Peer(server) as peer:
        peer.send(named("wait", "first", 1) + named("wait", "second", 2) + add(3, 3, 3) + named("wait", "fourth", 4))
        server.wait("waiting", name="first")
        server.wait("waiting", name="second")
        server.wait("waiting", name="fourth")  # the third is done, and waits for its turn to be told
        (folder / "fourth").touch()
        (folder / "second").touch()
        peer.sock.setblocking(False)
        with pytest.raises(BlockingIOError):
            peer.sock.recv(1)
        peer.sock.settimeout(PATIENCE)
        (folder / "first").touch()
        answers = [peer.answer() for _ in range(4)]
        assert [each.seqid for each in answers if each] == [1, 2, 3, 4]


def test_blocking_methods_run_on_threads(folder: Path, env: dict[str, str]) -> None:
    with Server(*ARGS, "--threads", "2", cwd=folder, env=env) as server, Peer(server) as first, Peer(server) as second:
        first.send(named("block", "go"))
        line = server.wait("blocking", method="block")
        assert line["ident"] != line["pid"]
        assert line["peer"] == first.name
        assert second.ask(add(1, 1)) is not None
        answer = second.ask(named("decorated", ""))
        assert answer is not None
        assert answer.type == 6
        assert "from a thread" in server.wait("handler_failed", method="decorated")["traceback"]
        assert server.wait("blocking", method="decorated")["ident"] != line["pid"]
        (folder / "go").touch()
        assert said(first.answer()) == "go"


def test_a_blocked_loop_is_told_with_its_method_and_stack(folder: Path, env: dict[str, str]) -> None:
    with Server(*ARGS, cwd=folder, env=env) as server, Peer(server) as peer:
        assert peer.ask(add(1, 1)) is not None
        peer.send(message("spin", field(4, 1, struct.pack(">d", 2.5)) + b"\0"))
        line = server.wait("loop_blocked")
        assert line["method"] == "Demo.spin"
        assert "sum(range(1000))" in line["stack"] or "in spin" in line["stack"]
        assert said(peer.answer()) == "spun"
        assert len(server.found("loop_blocked")) == 1


def test_a_worker_that_was_stopped_as_a_whole_blames_no_method(folder: Path) -> None:
    with Server(*ARGS, cwd=folder) as server, Peer(server) as peer:
        (worker,) = server.workers()
        os.kill(worker, signal.SIGSTOP)
        pause(server, 2.5)
        os.kill(worker, signal.SIGCONT)
        assert peer.ask(add(1, 1)) is not None
        pause(server, 1.0)
        peer.send(message("spin", field(4, 1, struct.pack(">d", 2.5)) + b"\0"))  # the watch goes on
        assert server.wait("loop_blocked")["method"] == "Demo.spin"
        assert said(peer.answer()) == "spun"
        assert len(server.found("loop_blocked")) == 1


def test_without_monkey_patching_a_wait_blocks(folder: Path) -> None:
    with Server(*ARGS, "--no-monkey-patch", cwd=folder) as server, Peer(server) as waits, Peer(server) as other:
        waits.send(named("wait", "go"))
        server.wait("waiting", name="go")
        other.send(add(1, 1))
        other.sock.settimeout(0.3)
        with pytest.raises(TimeoutError):
            other.answer()
        other.sock.settimeout(PATIENCE)
        (folder / "go").touch()
        assert said(waits.answer()) == "go"
        assert other.answer() is not None


def test_middleware_from_the_command_line(folder: Path, env: dict[str, str]) -> None:
    options = ("--middleware", "waiting:outer", "--middleware", "waiting:Inner")
    with Server(*ARGS, *options, cwd=folder, env=env) as server, Peer(server) as peer:
        assert said(peer.ask(message("who", seqid=-5))) == f"Demo.who -5 {peer.name} {{'trail': 'outer inner'}}"
        answer = peer.ask(add(0, 0))
        assert answer is not None
        assert answer.body == field(8, 0, i32(-1)) + b"\0"


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("waiting:absent", "waiting has no 'absent'"),
        ("waiting", "write pkg.mod:object"),
        ("waiting:IDL", "middleware waiting:IDL"),
    ],
)
def test_middleware_that_cannot_be_loaded_is_one_message(folder: Path, spec: str, said: str) -> None:
    with Server(*ARGS, "--middleware", spec, cwd=folder, ready=False) as server:
        assert server.exit_code() == 4
        assert said in " ".join(server.other)
