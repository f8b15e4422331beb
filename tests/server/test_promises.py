"""What an operator may rely on: whatever he does to a server under load, no call and no connection is lost."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.harness import Server
from tests.load import Load
from tests.server.raw import Peer, field, message, note
from tests.server.services import ARGS, COUNTING, HANDLER, NASTY, executed, write_demo
from tests.speech import VOICES
from thriftserver.cli.ctl import ask


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_demo(tmp_path, HANDLER + NASTY)


EVERY = tuple(VOICES.values())


def reload_often(folder: Path, times: int) -> None:
    with Server(*ARGS, "-w", "2", "--http", cwd=folder) as server:
        with Load(server, 28, voices=EVERY) as load:
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


def upgrade_often(folder: Path, times: int) -> None:
    with Server(*ARGS, "-w", "2", "--http", cwd=folder) as server:
        with Load(server, 28, voices=EVERY) as load:
            for _ in range(times):
                server.upgrade()
        assert load.clean(), load
        assert load.calls > 100
        assert len(server.workers()) == 2
        assert server.stop() == 0


def test_upgrades_under_load_lose_nothing(folder: Path) -> None:
    upgrade_often(folder, 3)


@pytest.mark.promises
@pytest.mark.timeout(600)
def test_twenty_upgrades_under_load_lose_nothing(folder: Path) -> None:
    upgrade_often(folder, 20)


def test_broken_reloads_under_load_change_nothing(folder: Path) -> None:
    config = folder / "config.toml"
    config.write_text("")
    with Server(*ARGS, "-w", "2", "--config", "config.toml", cwd=folder) as server:
        before = server.workers()
        with Load(server, 8) as load:
            (folder / "demo.thrift").write_text("service Demo {\n  i32 add(1: i33 a)\n}\n")
            server.signal(signal.SIGHUP)
            assert "demo.thrift:2:" in server.wait("reload_rejected")["reason"]
            write_demo(folder, "def broken(:\n")
            server.signal(signal.SIGHUP)
            assert "demo.py" in server.wait("reload_rejected", 2)["reason"]
            write_demo(folder)
            config.write_text("wrokers = 3\n")
            server.signal(signal.SIGHUP)
            assert "wrokers" in server.wait("reload_rejected", 3)["reason"]
        assert load.clean(), load
        assert server.workers() == before


def scale_often(folder: Path, times: int) -> None:
    with Server(*ARGS, "-w", "2", cwd=folder) as server:
        with Load(server, 16) as load:
            for number in range(1, times + 1):
                server.signal(signal.SIGTTIN)
                server.wait("worker_ready", 2 + number)
                server.signal(signal.SIGTTOU)
                server.wait("worker_exit", number, code=0)
        assert load.clean(), load


def test_scaling_up_and_down_under_load_loses_nothing(folder: Path) -> None:
    scale_often(folder, 3)


@pytest.mark.promises
@pytest.mark.timeout(600)
def test_scaling_thirty_times_up_and_down_loses_nothing(folder: Path) -> None:
    scale_often(folder, 30)


def test_a_drained_worker_is_replaced_and_nothing_is_lost(folder: Path) -> None:
    with Server(*ARGS, "-w", "2", "--control", "control", cwd=folder) as server:
        with Load(server, 16) as load:
            for pid in server.workers():
                ask(str(folder / "control"), command="drain", pid=pid)
                server.wait("worker_exit", pid=pid, code=0)
        assert load.clean(), load


def spend_workers(folder: Path, workers: int, requests: int, jitter: int, exits: int) -> None:
    options = ("-w", str(workers), "--max-requests", str(requests), "--max-requests-jitter", str(jitter))
    with Server(*ARGS, *options, cwd=folder) as server:
        with Load(server, 16) as load:
            server.wait("worker_exit", exits, code=0)
        assert load.clean(), load
        assert server.found("worker_spent", reason="max_requests")
        assert not server.found("worker_exit", level="error")


def test_spent_workers_are_replaced_under_load_and_nothing_is_lost(folder: Path) -> None:
    spend_workers(folder, 2, 500, 500, 4)


@pytest.mark.promises
@pytest.mark.timeout(600)
@pytest.mark.parametrize("jitter", [0, 200])
def test_workers_spent_after_200_calls_lose_nothing(folder: Path, jitter: int) -> None:
    spend_workers(folder, 4, 200, jitter, 60)


def test_a_worker_that_leaks_is_replaced_and_nothing_is_lost(folder: Path) -> None:
    with Server(*ARGS, "-w", "2", "--max-rss", "200m", cwd=folder) as server:
        with Load(server, 8) as load:
            note(server, "leak")
            pid = server.wait("worker_spent")["pid"]
            server.wait("worker_exit", pid=pid)
        assert load.clean(), load


def test_term_at_full_load_answers_everything_that_was_executed(folder: Path) -> None:
    write_demo(folder, HANDLER + COUNTING)
    with Server(*ARGS, "-w", "2", cwd=folder) as server:
        with Load(server, 16) as load, Peer(server):  # the peer is idle, and delays nothing
            server.eventually(lambda: load.calls > 500, "calls")
            server.signal(signal.SIGTERM)
            assert server.exit_code() == 0
        assert load.calls == executed(folder), load
        assert not server.found("worker_killed")


def test_term_spares_the_calls_of_a_worker_that_is_retiring_already(folder: Path) -> None:
    with Server(*ARGS, cwd=folder) as server, Peer(server) as busy:
        busy.send(message("nap", field(4, 1, b"\xbf\xf0" + bytes(6)) + b"\0"))
        server.wait("napping")
        server.signal(signal.SIGHUP)
        server.wait("reloaded")
        server.signal(signal.SIGTERM)
        server.wait("stopping")
        (folder / "wake").touch()
        assert busy.answer() is not None
        assert server.exit_code() == 0
