"""USR2 that goes wrong, or in between: what cannot start, and who is told or killed while a new master boots."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import Server
from tests.load import Load
from tests.server.control import ctl
from tests.server.raw import Peer, add, message, version
from tests.server.services import ARGS, HANDLER, IDL, SLOW, write_demo

#: In front of a handler: the first worker of a master is ready, the second one is not.
SECOND_FAILS = """
import os, pathlib, time
try:
    os.close(os.open("first", os.O_CREAT | os.O_EXCL))
except FileExistsError:
    while not pathlib.Path("go").exists():
        time.sleep(0.01)
    raise RuntimeError("the second one fails")
"""
#: Starts the server like ``python -m thriftserver``, from a file that a test can change.
START = """
import sys
from thriftserver.cli.main import main
sys.argv = ["thriftserver", *sys.argv[4:]]
main()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_demo(tmp_path)


def refused(server: Server, count: int = 1) -> str:
    """Ask for an upgrade that fails; why."""
    server.signal(signal.SIGUSR2)
    reason: str = server.wait("upgrade_failed", count)["reason"]
    return reason


# What cannot start.


def test_an_upgrade_that_cannot_start_changes_nothing_and_the_next_one_works(folder: Path) -> None:
    (folder / "config.toml").write_text("boot_timeout = 60\n")
    with Server(*ARGS, "-w", "2", "--config", "config.toml", cwd=folder) as server:
        before = server.workers()
        with Load(server, 8) as load:
            (folder / "demo.py").write_text("def broken(:\n")
            assert "demo.py" in refused(server)
            (folder / "demo.py").write_text("import os\nos._exit(9)\n")
            assert "exited with code 9" in refused(server, 2)
            (folder / "demo.thrift").write_text("service Demo {\n  i32 add(1: i33 a)\n}\n")
            assert "demo.thrift:2:" in refused(server, 3)
            write_demo(folder)
            (folder / "config.toml").write_text("wrokers = 3\n")
            assert "wrokers" in refused(server, 4)
            (folder / "config.toml").write_text("boot_timeout = 60\n")
            assert server.workers() == before
            server.upgrade()
        assert load.clean(), load
        assert not server.other, "the reason stands in the log and nowhere else"


def test_a_new_master_that_is_gone_or_hangs_is_refused_with_its_last_words(folder: Path) -> None:
    start = folder / "start.py"
    start.write_text(START)
    options = (*ARGS, "--boot-timeout", "2s", "--bind", "127.0.0.1:0")
    with Server(*options, cwd=folder, prefix=(sys.executable, "start.py")) as server, Peer(server) as peer:
        start.unlink()
        assert "start.py" in refused(server)
        start.write_text("raise SystemExit('a wrong python')\n")
        assert "a wrong python" in refused(server, 2)
        start.write_text("import time\ntime.sleep(3600)\n")
        assert "killed by signal 9" in refused(server, 3)
        server.wait("successor_killed", reason="was not ready in time")
        start.write_text(START)
        write_demo(folder, "import time\ntime.sleep(3600)\n")
        assert "signal 9" in refused(server, 4)
        write_demo(folder)
        server.upgrade()
        assert version(peer) == b"1"


def test_an_idl_that_breaks_clients_is_refused_unless_that_is_wanted(folder: Path) -> None:
    (folder / "config.toml").write_text("")
    with Server(*ARGS, "--config", "config.toml", cwd=folder) as server:
        write_demo(folder, idl=IDL.replace("add(1: i32 a, 2: i32 b)", "add(1: i64 a, 2: i32 b)"))
        reason = refused(server)
        assert "clients of the running IDL would break" in reason
        assert "Demo.add" in reason
        (folder / "config.toml").write_text("allow_breaking = true\n")
        server.upgrade()


def test_workers_of_a_failed_upgrade_give_their_connections_back(folder: Path) -> None:
    with Server(*ARGS, "-w", "2", cwd=folder) as server:
        write_demo(folder, SECOND_FAILS + HANDLER)
        server.signal(signal.SIGUSR2)
        server.wait("worker_ready", 3)
        with Load(server, 16) as load:
            server.eventually(lambda: load.calls > 500, "calls")
            (folder / "go").touch()
            assert "the second one fails" in server.wait("upgrade_failed")["reason"]
            before = load.calls
            server.eventually(lambda: load.calls > before + 500, "more calls")
        assert load.clean(), load


# What happens meanwhile.


@pytest.fixture
def busy(folder: Path) -> Iterator[tuple[Server, int]]:
    """A server in the middle of an upgrade: its new master, whose pid comes along, has a worker that boots."""
    with Server(*ARGS, "--control", "control", "--pidfile", "pid", cwd=folder) as server:
        write_demo(folder, SLOW + HANDLER)
        server.signal(signal.SIGUSR2)
        worker = server.wait("importing")["worker_pid"]
        yield server, parent(worker)


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_reload_and_another_upgrade_are_refused_meanwhile(busy: tuple[Server, int], folder: Path) -> None:
    server, heir = busy
    server.signal(signal.SIGHUP)
    assert "a new master is taking over" in server.wait("reload_rejected")["reason"]
    assert "upgrading; ask again later" in refused(server)
    assert "the service is upgrading" in ctl(folder, "--json", "upgrade").stderr
    assert json.loads(ctl(folder, "--json", "status").stdout)["upgrading"]
    (folder / "go").touch()
    assert server.wait("upgraded")["successor"] == heir
    server.follow(heir)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["TERM", "INT"])
def test_stopping_stops_both_masters(busy: tuple[Server, int], folder: Path, number: signal.Signals) -> None:
    server, heir = busy
    server.signal(number)
    assert server.exit_code() == 0  # only once all that write to the log have gone
    assert not Path(f"/proc/{heir}").exists()
    assert sorted(path.name for path in folder.glob("*pid*")) == []
    assert not (folder / "control").exists()
    assert not server.found("upgrade_failed")


def test_term_to_the_new_master_calls_the_upgrade_off(busy: tuple[Server, int]) -> None:
    server, heir = busy
    os.kill(heir, signal.SIGTERM)
    server.wait("upgrade_failed")
    with Peer(server) as peer:
        assert peer.ask(message("add", add(1, 2))) is not None


def test_a_new_master_that_is_killed_leaves_the_old_one_as_it_was(folder: Path) -> None:
    with Server(*ARGS, "-w", "2", cwd=folder) as server:
        write_demo(folder, SECOND_FAILS + HANDLER)
        server.signal(signal.SIGUSR2)
        ready = server.wait("worker_ready", 3)["pid"]
        with Load(server, 16) as load:
            server.eventually(lambda: load.calls > 500, "calls")
            os.kill(parent(ready), signal.SIGKILL)
            assert "killed by signal 9" in server.wait("upgrade_failed")["reason"]
            before = load.calls
            server.eventually(lambda: load.calls > before + 500, "more calls")
        assert load.clean(), load
        write_demo(folder)
        server.upgrade()


def test_when_the_old_master_is_killed_meanwhile_the_new_one_goes_on(busy: tuple[Server, int], folder: Path) -> None:
    server, heir = busy
    with Load(server, 8) as load:
        server.signal(signal.SIGKILL)
        server.follow(heir, -signal.SIGKILL)
        (folder / "go").touch()
        server.wait("ready", pid=heir)
        before = load.calls
        server.eventually(lambda: load.calls > before + 500, "more calls")
    assert load.clean(), load
    assert (folder / "pid").read_text() == f"{heir}\n"
    assert json.loads(ctl(folder, "--json", "status").stdout)["pid"] == heir
    assert server.stop() == 0
