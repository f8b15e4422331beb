"""What an operator may rely on under load, as docs/operations.md lists it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.harness import Server
from tests.load import Load
from tests.server.raw import Peer, field, message, text
from tests.server.services import ARGS, HANDLER, write_demo

#: Ways to hang or die that the plain demo has not.
NASTY = """
    def note(self, text):
        if text == "spin":
            while True:
                pass
        if text == "abort":
            os.abort()
        if text == "leak":
            self.leaked = bytearray(200 << 20)
"""
#: Says at its end how many calls it has executed.
COUNTING = """
    executed = 0

    def add(self, a, b):
        self.executed += 1
        return a + b

    def teardown(self):
        pathlib.Path(f"executed-{os.getpid()}").write_text(str(self.executed))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_demo(tmp_path, HANDLER + NASTY)


def note(server: Server, what: str) -> None:
    with Peer(server) as peer:
        peer.send(message("note", field(11, 1, text(what)) + b"\0", kind=4))


def reload_often(folder: Path, times: int) -> None:
    with Server(*ARGS, "-w", "2", cwd=folder) as server:
        with Load(server, 16) as load:
            for number in range(1, times + 1):
                server.signal(signal.SIGHUP)
                server.wait("reloaded", number)
        assert load.clean(), load
        assert load.calls > 100


def test_reloads_under_load_lose_nothing(folder: Path) -> None:
    reload_often(folder, 3)


@pytest.mark.promises
@pytest.mark.timeout(600)
def test_fifty_reloads_under_load_lose_nothing(folder: Path) -> None:
    reload_often(folder, 50)


def test_broken_reloads_under_load_change_nothing(folder: Path) -> None:
    with Server(*ARGS, "-w", "2", cwd=folder) as server:
        before = server.workers()
        with Load(server, 8) as load:
            (folder / "demo.thrift").write_text("service Demo {\n  i32 add(1: i33 a)\n}\n")
            server.signal(signal.SIGHUP)
            assert "demo.thrift:2:" in server.wait("reload_rejected")["reason"]
            write_demo(folder, "def broken(:\n")
            server.signal(signal.SIGHUP)
            assert "demo.py" in server.wait("reload_rejected", 2)["reason"]
        assert load.clean(), load
        assert server.workers() == before


def test_scaling_up_and_down_under_load_loses_nothing(folder: Path) -> None:
    with Server(*ARGS, "-w", "2", cwd=folder) as server:
        with Load(server, 16) as load:
            for number in range(1, 4):
                server.signal(signal.SIGTTIN)
                server.wait("worker_ready", 2 + number)
                server.signal(signal.SIGTTOU)
                server.wait("worker_exit", number)
        assert load.clean(), load


def spend_workers(folder: Path, workers: int, requests: int, exits: int) -> None:
    options = ("-w", str(workers), "--max-requests", str(requests), "--max-requests-jitter", str(requests))
    with Server(*ARGS, *options, cwd=folder) as server:
        with Load(server, 16) as load:
            server.wait("worker_exit", exits)
        assert load.clean(), load
        assert server.found("worker_spent", reason="max_requests")


def test_spent_workers_are_replaced_under_load_and_nothing_is_lost(folder: Path) -> None:
    spend_workers(folder, 2, 500, 4)


@pytest.mark.promises
@pytest.mark.timeout(600)
def test_workers_spent_after_200_calls_lose_nothing(folder: Path) -> None:
    spend_workers(folder, 4, 200, 60)


def test_a_worker_that_leaks_is_replaced_and_nothing_is_lost(folder: Path) -> None:
    with Server(*ARGS, "-w", "2", "--max-rss", "200m", cwd=folder) as server:
        with Load(server, 8) as load:
            note(server, "leak")
            pid = server.wait("worker_spent")["pid"]
            server.wait("worker_exit", pid=pid)
        assert load.clean(), load


def test_a_killed_worker_loses_only_what_is_named(folder: Path) -> None:
    with Server(*ARGS, "-w", "2", cwd=folder) as server:
        with Load(server, 16, reconnect=True) as load:
            server.eventually(lambda: load.calls > 500, "calls")
            with Peer(server) as peer:
                peer.send(message("nap", field(4, 1, b"\xbf\xf0" + bytes(6)) + b"\0"))
                server.wait("napping")
                for pid in server.workers():
                    os.kill(pid, signal.SIGKILL)
                server.wait("worker_ready", 4)
                lost = server.wait("call_lost", method="nap")
                assert lost["peer"] == peer.name
                assert lost["seqid"] == 7
        assert not load.wrong
        assert not load.refused


def test_a_stopped_worker_is_killed_and_replaced(folder: Path) -> None:
    with Server(*ARGS, "-w", "2", "--timeout", "1.5s", cwd=folder) as server:
        with Load(server, 8, reconnect=True) as load:
            pid = server.workers()[0]
            os.kill(pid, signal.SIGSTOP)
            assert server.wait("worker_exit", pid=pid)["signal"] == signal.SIGKILL
            server.wait("worker_hung")
            server.wait("worker_ready", 3)
        assert not load.wrong


def test_a_spinning_worker_is_killed_with_its_stacks_and_calls_in_the_log(folder: Path) -> None:
    with Server(*ARGS, "-w", "2", "--timeout", "1.5s", cwd=folder) as server:
        note(server, "spin")
        hung = server.wait("worker_hung")
        assert "demo.py" in hung["stacks"]
        assert "in note" in hung["stacks"]
        assert hung["calls"] == ["Demo.note"]
        assert server.wait("call_lost")["method"] == "note"
        server.wait("worker_ready", 3)


def test_a_worker_that_aborts_is_named_with_its_stacks_and_replaced(folder: Path) -> None:
    with Server(*ARGS, "-w", "2", cwd=folder) as server:
        note(server, "abort")
        assert "in note" in server.wait("worker_crashed")["stacks"]
        server.wait("worker_ready", 3)


def test_a_crash_loop_is_visible_and_its_end_too(folder: Path) -> None:
    with Server(*ARGS, cwd=folder) as server:
        (folder / "demo.py").write_text("raise RuntimeError('not today')\n")
        os.kill(server.workers()[0], signal.SIGKILL)
        assert "not today" in server.wait("crash_loop")["reason"]
        write_demo(folder)
        server.wait("crash_loop_over")


def test_term_at_full_load_answers_everything_that_was_executed(folder: Path) -> None:
    write_demo(folder, HANDLER + COUNTING)
    with Server(*ARGS, "-w", "2", cwd=folder) as server:
        with Load(server, 16) as load, Peer(server):  # the peer is idle, and delays nothing
            server.eventually(lambda: load.calls > 500, "calls")
            server.signal(signal.SIGTERM)
            assert server.exit_code() == 0
        executed = [int(path.read_text()) for path in folder.glob("executed-*")]
        assert len(executed) == 2
        assert load.calls == sum(executed), load
        assert not server.found("worker_killed")


def test_workers_leave_when_the_master_is_killed(folder: Path) -> None:
    server = Server(*ARGS, "-w", "2", cwd=folder)
    try:
        os.kill(server.pid, signal.SIGKILL)
        # The log's pipe ends when the last process that writes to it has gone.
        assert server.exit_code() == -signal.SIGKILL
        assert not server.running()
    finally:
        server.stop()
