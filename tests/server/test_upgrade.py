"""USR2: a new master from disk takes over sockets, connections, names and files; what goes wrong changes nothing."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Self

import pytest

import thriftserver
from tests.harness import PATIENCE, Server
from tests.load import Load
from tests.server.raw import Peer, add, field, message
from tests.server.services import ARGS, HANDLER, IDL, SLOW, write_demo
from tests.server.test_systemd import Systemd, has
from tests.support import ROOT

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
#: Behind a handler: what it finds about itself.
WITNESS = """
umask = os.umask(0)
os.umask(umask)
mask = [int(number) for number in __import__("signal").pthread_sigmask(0, [])]
seen = {"folder": os.getcwd(), "umask": umask, "environ": dict(os.environ), "mask": mask}
pathlib.Path("seen").write_text(json.dumps(seen))
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


def version(peer: Peer) -> bytes:
    answer = peer.ask(message("version"))
    assert answer is not None, "the connection was dropped"
    return answer.body[7:-1]


def ctl(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "thriftserver", "ctl", "--control", str(folder / "control"), "--json", *args]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)


def refused(server: Server, count: int = 1) -> str:
    """Ask for an upgrade that fails; why."""
    server.signal(signal.SIGUSR2)
    reason: str = server.wait("upgrade_failed", count)["reason"]
    return reason


def test_new_code_serves_the_connections_of_the_old(folder: Path) -> None:
    with Server(*ARGS, "-w", "2", cwd=folder) as server, Peer(server) as peer:
        assert version(peer) == b"1"
        old = server.pid
        write_demo(folder, HANDLER.replace('"1"', '"2"'))
        assert server.upgrade() != old
        assert version(peer) == b"2"
        server.wait("ready", pid=server.pid)
        assert not server.found("stopping")
        assert not server.other


def test_a_call_that_outlasts_two_upgrades_is_answered(folder: Path) -> None:
    with Server(*ARGS, cwd=folder) as server, Peer(server) as busy:
        busy.send(message("nap", field(4, 1, b"\xbf\xf0" + bytes(6)) + b"\0"))
        server.wait("napping")
        server.signal(signal.SIGUSR2)
        second = server.wait("upgraded")["successor"]
        server.wait("ready", pid=second)
        os.kill(second, signal.SIGUSR2)
        third = server.wait("upgraded", pid=second)["successor"]
        (folder / "wake").touch()
        assert busy.answer() is not None
        server.follow(third)
        assert version(busy) == b"1"


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
    assert "the service is upgrading" in ctl(folder, "upgrade").stderr
    assert json.loads(ctl(folder, "status").stdout)["upgrading"]
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
    assert json.loads(ctl(folder, "status").stdout)["pid"] == heir
    assert server.stop() == 0


# What is taken over.


class Watch:
    """Reads a file over and over: what it has held, and how often it was not there."""

    def __init__(self, path: Path) -> None:
        self.held: set[str] = set()
        self.absent = 0
        self._path = path
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.held.add(self._path.read_text())
            except FileNotFoundError:
                self.absent += 1


def test_files_and_sockets_change_hands(folder: Path) -> None:
    binds = ("--bind", "unix:s", "--bind", "127.0.0.1:0")
    with Server(*ARGS, *binds, "--control", "control", "--pidfile", "pid", cwd=folder) as server:
        port, inode = server.addresses[1], os.stat(folder / "s").st_ino
        masters = {f"{server.pid}\n"}
        with Watch(folder / "pid") as pidfile:
            for _ in range(3):
                done = ctl(folder, "upgrade")
                assert done.returncode == 0, done.stderr
                heir = json.loads(done.stdout)["pid"]
                server.follow(heir)
                masters.add(f"{heir}\n")
                assert (folder / "pid").read_text() == f"{heir}\n"
                assert json.loads(ctl(folder, "status").stdout)["pid"] == heir
                assert server.wait("listening", pid=heir)["addresses"] == ["unix:s", port]
                with thriftserver.load(folder / "demo.thrift").Demo.Client(f"unix:{folder / 's'}", 0) as demo:
                    assert demo.add(1, 2) == 3
        assert (pidfile.held, pidfile.absent) == (masters, 0)
        assert os.stat(folder / "s").st_ino == inode
        assert stat.S_IMODE((folder / "control").stat().st_mode) == 0o600
        assert server.stop() == 0
    assert not {"s", "control", "pid"} & {path.name for path in folder.iterdir()}


def test_a_reason_reaches_who_waits_for_the_upgrade(folder: Path) -> None:
    with Server(*ARGS, "--control", "control", cwd=folder):
        write_demo(folder, "raise RuntimeError('not today')\n")
        done = ctl(folder, "upgrade")
        assert done.returncode == 1
        assert "not today" in done.stderr


def test_addresses_and_files_may_change(folder: Path) -> None:
    """What the new master has no use for is closed and removed; what it asks for besides is opened."""
    config = folder / "config.toml"
    config.write_text('bind = ["unix:a", "127.0.0.1:0"]\ncontrol = "c1"\npidfile = "p1"\nadmin = "127.0.0.1:0"\n')
    with Server(*ARGS, "--config", "config.toml", cwd=folder, bind=False) as server:
        config.write_text('bind = ["127.0.0.1:0", "unix:b"]\npidfile = "p2"\n')
        heir = server.upgrade()
        assert server.wait("listening", pid=heir)["addresses"] == [server.addresses[1], "unix:b"]
        assert {"b", "p2"} <= {path.name for path in folder.iterdir()}
        assert not {"a", "c1", "p1"} & {path.name for path in folder.iterdir()}
        (admin,) = server.wait("admin_listening")["addresses"]
        with pytest.raises(ConnectionRefusedError):
            urlopen_plain(admin)


def urlopen_plain(address: str) -> bytes:
    host, _, port = address.rpartition(":")
    connection = HTTPConnection(host, int(port), timeout=PATIENCE)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().read()
    finally:
        connection.close()


def test_the_admin_process_is_replaced_and_its_port_refuses_nobody(folder: Path) -> None:
    with Server(*ARGS, "--admin", "127.0.0.1:0", cwd=folder) as server:
        (admin,) = server.wait("admin_listening")["addresses"]
        assert urlopen_plain(admin)
        heir = server.upgrade()
        assert server.wait("admin_listening", 2)["addresses"] == [admin]
        assert urlopen_plain(admin)
        assert server.pid == heir


def test_a_scaled_number_of_workers_stays_unless_another_is_configured(folder: Path) -> None:
    (folder / "config.toml").write_text("workers = 1\n")
    with Server(*ARGS, "--config", "config.toml", cwd=folder) as server:
        server.signal(signal.SIGTTIN)
        server.wait("worker_ready", 2)
        heir = server.upgrade()
        assert server.wait("ready", pid=heir)["workers"] == 2
        (folder / "config.toml").write_text("workers = 3\n")
        heir = server.upgrade()
        assert server.wait("ready", pid=heir)["workers"] == 3


def test_it_is_started_as_the_old_one_was(folder: Path, tmp_path: Path) -> None:
    """Directory by its name, so that a symlink leads to the new release; umask and environment from before."""
    for release in ("one", "two"):
        (tmp_path / release).mkdir()
        write_demo(tmp_path / release, HANDLER.replace('"1"', f'"{release}"') + WITNESS)
    current = tmp_path / "current"
    current.symlink_to("one")
    options = ("--umask", "027", "--chdir", "elsewhere", "--pythonpath", "..", "--log-file", "../log")
    for release in ("one", "two"):
        (tmp_path / release / "elsewhere").mkdir()
        (tmp_path / release / "elsewhere" / "demo.thrift").write_text(IDL)
    env = {"PWD": str(current), "SEEN": "yes", "NOTIFY_SOCKET": "/nowhere"}
    server = Server(*ARGS, *options, "--bind", "unix:../../s", cwd=current, env=env, ready=False)
    try:
        log = tmp_path / "one" / "log"
        server.eventually(lambda: log.exists() and '"ready"' in log.read_text(), "start")
        current.unlink()
        current.symlink_to("two")
        server.signal(signal.SIGUSR2)
        assert server.process.wait(PATIENCE) == 0
        with thriftserver.load(folder / "demo.thrift").Demo.Client(f"unix:{tmp_path / 's'}", 0) as demo:
            assert demo.version() == "two"
        seen = json.loads((tmp_path / "two" / "elsewhere" / "seen").read_text())
        assert seen["folder"] == str(tmp_path / "two" / "elsewhere")
        assert seen["umask"] == 0o027
        assert seen["environ"]["SEEN"] == "yes"
        assert not [name for name in seen["environ"] if name in ("NOTIFY_SOCKET", "THRIFTSERVER_UPGRADE")]
        assert seen["mask"] == []
        heir = next(line for line in map(json.loads, log.read_text().splitlines()) if line["event"] == "upgraded")
        os.kill(heir["successor"], signal.SIGTERM)
    finally:
        server.stop()


def test_systemd_is_told_the_new_main_pid(folder: Path, tmp_path: Path) -> None:
    with Systemd(str(tmp_path / "notify")) as systemd:
        env = systemd.env | {"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": ""}
        with Server(*ARGS, cwd=folder, env=env) as server:
            systemd.wait(has("READY"))
            heir = server.upgrade()
            before = systemd.wait(has("MAINPID"))
            assert before[-1] == {"MAINPID": str(heir)}
            assert not any("STOPPING" in each or "READY" in each for each in before)
            assert systemd.wait(has("READY"))[-1] == {"READY": "1"}
            told = systemd.wait(has("WATCHDOG"))
            assert not any("STOPPING" in each for each in told)
            server.stop()
            systemd.wait(has("STOPPING"))
