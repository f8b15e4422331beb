"""Where calls are stuck, as the log tells it: slow ones by themselves, all of them when ``ctl stacks`` asks."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.harness import Server, run
from tests.server.raw import Peer
from tests.server.waiting import ARGS, add, named, said, write_waiting
from thriftserver.assignment import TELL

SLOW = ("--access-log", "slow", "--slow-call", "150ms")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_waiting(tmp_path)


def frames(stack: str) -> list[str]:
    """The functions on a stack, innermost last."""
    return [line.rpartition(" in ")[2] for line in stack.splitlines() if line.startswith("  File ")]


def test_a_slow_call_is_told_once_with_its_stack_while_it_runs(folder: Path, env: dict[str, str]) -> None:
    with Server(*ARGS, *SLOW, cwd=folder, env=env) as server, Peer(server) as slow, Peer(server) as slower:
        slow.send(named("wait", "first", 12))
        line = server.wait("slow_call", seqid=12)
        assert (line["service"], line["method"], line["peer"]) == ("Demo", "wait", slow.name)
        assert line["age_s"] >= 0.15
        assert frames(line["stack"])[:2] == ["wait", "until"], "it begins with the handler"
        assert "waiting.py" in line["stack"]
        assert not server.found("call"), "the call has not ended"
        slower.send(named("wait", "second", 13))
        server.wait("slow_call", seqid=13)
        (folder / "first").touch()
        assert said(slow.answer()) == "first"
        slow.send(named("wait", "third", 14))
        server.wait("slow_call", seqid=14)  # of those before it, all have been looked at several times
        (folder / "second").touch()
        (folder / "third").touch()
        assert (said(slow.answer()), said(slower.answer())) == ("third", "second")
        assert [each["seqid"] for each in server.found("slow_call")] == [12, 13, 14]
        assert server.wait("call", seqid=12)["duration_ms"] > 150


def test_of_a_slow_call_on_a_thread_it_is_the_thread_s_stack(folder: Path, env: dict[str, str]) -> None:
    with Server(*ARGS, *SLOW, cwd=folder, env=env) as server, Peer(server) as peer:
        peer.send(named("block", "go", 5))
        line = server.wait("slow_call", seqid=5)
        assert frames(line["stack"])[:2] == ["block", "until"]
        (folder / "go").touch()
        assert said(peer.answer()) == "go"


def test_many_slow_calls_are_told_a_few_at_a_time(folder: Path) -> None:
    with Server(*ARGS, *SLOW, cwd=folder) as server:
        peers = [Peer(server) for _ in range(40)]
        for number, peer in enumerate(peers):
            peer.send(named("wait", "go", number))
        server.wait("slow_call", 40)
        assert {line["seqid"] for line in server.found("slow_call")} == set(range(40))
        (folder / "go").touch()
        for peer in peers:
            assert said(peer.answer()) == "go"
            peer.sock.close()
    told = [line["age_s"] for line in server.found("slow_call")]
    assert max(told) - min(told) > 0.1, "not all at one look"


@pytest.mark.parametrize("options", [(), ("--access-log", "all", "--slow-call", "0")], ids=["off", "no limit"])
def test_without_a_log_of_slow_calls_there_is_none_of_their_stacks(folder: Path, options: tuple[str, ...]) -> None:
    with Server(*ARGS, "--method-timeout", "wait=1s", *options, cwd=folder) as server, Peer(server) as peer:
        peer.send(named("wait", "never"))
        answer = peer.answer()
        assert answer is not None
        assert answer.type == 12, "it was swept, more than once"
        assert not server.found("slow_call")


def test_ctl_stacks_names_each_call_and_shows_where_it_is(folder: Path, env: dict[str, str]) -> None:
    options = ("--control", "control", "--threads", "2")
    with (
        Server(*ARGS, *options, cwd=folder, env=env) as server,
        Peer(server) as waits,
        Peer(server) as brief,
        Peer(server) as blocks,
    ):
        for peer, method, seqid in ((waits, "wait", 1), (brief, "stubborn", 2), (blocks, "block", 3)):
            peer.send(named(method, "go", seqid))
            server.wait("waiting", seqid)
        (worker,) = server.workers()
        done = run(folder, "ctl", "--control", "control", "stacks", str(worker))
        assert (done.returncode, done.stderr) == (0, "")
        assert f"events stacks and stack of pid {worker}" in done.stdout
        assert server.wait("stacks", pid=worker)["calls"] == 3
        for peer, method, seqid in ((waits, "wait", 1), (brief, "stubborn", 2), (blocks, "block", 3)):
            line = server.wait("stack", seqid=seqid)
            assert (line["service"], line["method"], line["peer"], line["pid"]) == ("Demo", method, peer.name, worker)
            assert frames(line["stack"])[:2] == [method, "until"]
            assert line["age_s"] > 0
        (folder / "go").touch()
        assert [said(peer.answer()) for peer in (waits, brief, blocks)] == ["go"] * 3
        assert waits.ask(add(1, 1)) is not None
        os.kill(worker, TELL)  # what ctl makes the master send
        assert server.wait("stacks", 2)["calls"] == 0
    assert len(server.found("stack")) == 3
