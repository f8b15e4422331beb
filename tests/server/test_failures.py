"""What an operator may rely on when something dies, hangs or runs out: what is lost is named, the rest unaffected."""

from __future__ import annotations

import os
import resource
import signal
import socket
import struct
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Server
from tests.load import Load
from tests.server.raw import REPLY, Peer, add, field, message, note
from tests.server.services import ARGS, COUNTING, HANDLER, NASTY, executed, write_demo

#: A call of ``nap`` that ends when a test makes a file called wake.
NAP = message("nap", field(4, 1, b"\xbf\xf0" + bytes(6)) + b"\0")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_demo(tmp_path, HANDLER + NASTY)


def when(line: dict[str, Any]) -> float:
    return datetime.fromisoformat(line["time"]).timestamp()


def test_each_call_that_a_killed_worker_ran_is_named_and_no_other_is_lost(folder: Path) -> None:
    with Server(*ARGS, "-w", "2", cwd=folder) as server:
        first = server.workers()[0]
        peers = [Peer(server) for _ in range(12)]
        doomed = []
        for peer in peers:
            answer = peer.ask(message("pid"))
            assert answer is not None
            doomed += [peer] if int.from_bytes(answer.body[3:7], "big") == first else []
        assert 2 <= len(doomed) <= 10
        for place, peer in enumerate(peers, 1):
            peer.send(NAP)
            server.wait("napping", place)
        os.kill(first, signal.SIGKILL)
        gone = server.wait("worker_exit", pid=first)
        server.wait("worker_ready", 3)
        assert {(line["method"], line["peer"], line["seqid"]) for line in server.found("call_lost")} == {
            ("nap", peer.name, 7) for peer in doomed
        }
        assert all(line["age_s"] > 0 and line["pid"] == first for line in server.found("call_lost"))
        assert gone["signal"] == signal.SIGKILL
        (folder / "wake").touch()
        assert all(peer.rest() == b"" for peer in doomed)
        assert all(peer.answer() is not None for peer in peers if peer not in doomed)
        for peer in peers:
            peer.sock.close()


def test_a_worker_killed_at_full_load_has_executed_nothing_that_is_neither_answered_nor_named(folder: Path) -> None:
    """Its clients lose the calls, too, that it had not begun: nobody has executed those."""
    write_demo(folder, HANDLER + COUNTING)
    with Server(*ARGS, "-w", "2", cwd=folder) as server:
        with Load(server, 16, reconnect=True) as load:
            for number in range(1, 6):
                before = load.calls
                server.eventually(lambda before=before: load.calls > before + 500, "calls")
                os.kill(pid := server.workers()[0], signal.SIGKILL)
                gone = server.wait("worker_exit", pid=pid)
                ready = server.wait("worker_ready", 2 + number)
                # Replaced without delay: in the time that a worker needs to boot and, being young, is waited for.
                pause = sum(line["delay_s"] for line in server.found("worker_backoff"))
                assert when(ready) - when(gone) < 5 * (ready["boot_s"] + pause)
        assert not load.wrong
        assert not load.refused
        assert load.lost
        assert executed(folder) - load.calls <= len(server.found("call_lost", method="add"))
        assert load.dropped <= sum(line["count"] for line in server.found("connections_lost"))


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


def test_a_long_call_that_lets_others_run_is_no_hang(folder: Path) -> None:
    with Server(*ARGS, "--timeout", "1s", cwd=folder) as server, Peer(server) as peer:
        answer = peer.ask(message("nap", field(4, 1, struct.pack(">d", 2.5)) + b"\0"))
        assert answer is not None
        assert answer.kind == REPLY
        assert not server.found("worker_hung")


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


def test_workers_finish_and_leave_when_the_master_is_killed(folder: Path) -> None:
    write_demo(folder, HANDLER + COUNTING)
    server = Server(*ARGS, "-w", "2", "--log-level", "debug", cwd=folder)
    try:
        where = (server.host, server.port)
        with Load(server, 16) as load, Peer(server) as busy:
            busy.send(NAP)
            server.wait("napping")
            server.eventually(lambda: load.calls > 500, "calls")
            killed = time.time()
            server.signal(signal.SIGKILL)
            noticed = [server.wait("worker_draining", count, why="the master is gone") for count in (1, 2)]
            assert max(map(when, noticed)) - killed < 30
            (folder / "wake").touch()
            assert busy.answer() is not None
        assert server.exit_code() == -signal.SIGKILL
        # The log's pipe ends when the last process that writes to it has gone.
        assert not server.running()
        assert load.calls == executed(folder), load
        with socket.create_server(where):
            pass
    finally:
        server.stop()


def test_without_descriptors_accepting_pauses_and_goes_on_with_one_line_and_no_spin(folder: Path) -> None:
    with Server(*ARGS, cwd=folder, prefix=("prlimit", "--nofile=64")) as server:
        (worker,) = server.workers()
        with Peer(server) as first:
            assert first.ask(message("add", add(1, 2))) is not None
            crowd = [Peer(server) for _ in range(100)]
            server.wait("accept_paused")
            spent, began = cpu(worker), time.monotonic()
            time.sleep(1.5)  # three times as long as until it is tried again
            assert cpu(worker) - spent < (time.monotonic() - began) / 4
            assert first.ask(message("add", add(1, 2))) is not None
            for peer in crowd[:80]:
                peer.sock.close()
            for peer in crowd[80:]:
                assert peer.ask(message("add", add(1, 2))) is not None
                peer.sock.close()
            server.wait("accept_resumed")
            assert len(server.found("accept_paused")) == 1


def cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard >= 3000, "this test needs 3,000 descriptors (ulimit -Hn)"
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3000), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_descriptors")
def test_2000_idle_connections_cost_a_few_kb_each_and_no_wake_ups(folder: Path) -> None:
    with Server(*ARGS, "-w", "2", cwd=folder) as server:
        before = sum(map(resident, server.workers()))
        peers = [Peer(server) for _ in range(2000)]
        for peer in peers:
            assert peer.ask(message("add", add(1, 2))) is not None
        assert (sum(map(resident, server.workers())) - before) / len(peers) < 8 << 10
        woken = sum(map(wake_ups, server.workers()))
        time.sleep(2)
        # What a worker does of its own accord: a heartbeat each half second, and what comes with it.
        assert sum(map(wake_ups, server.workers())) - woken < 100
        for peer in peers:
            peer.sock.close()


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def wake_ups(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("voluntary_ctxt_switches")).split()[1])
