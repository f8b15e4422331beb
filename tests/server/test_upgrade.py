"""USR2: a new master from disk takes over sockets, connections, names and files; what goes wrong changes nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import threading
from http.client import HTTPConnection
from pathlib import Path
from typing import Self

import pytest

import thriftserver
from tests.harness import PATIENCE, Server
from tests.server.control import ctl
from tests.server.raw import Peer, field, message, version
from tests.server.services import ARGS, HANDLER, IDL, write_demo
from tests.server.test_systemd import Systemd, has

#: Behind a handler: what it finds about itself.
WITNESS = """
umask = os.umask(0)
os.umask(umask)
mask = [int(number) for number in __import__("signal").pthread_sigmask(0, [])]
seen = {"folder": os.getcwd(), "umask": umask, "environ": dict(os.environ), "mask": mask}
pathlib.Path("seen").write_text(json.dumps(seen))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_demo(tmp_path)


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


def test_a_socket_that_was_passed_is_passed_on(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as passed:
        fd = passed.fileno()
        with Server(*ARGS, "--bind", f"fd://{fd}", cwd=folder, pass_fds=[fd]) as server, Peer(server) as peer:
            server.upgrade()
            assert version(peer) == b"1"
            server.wait("ready", pid=server.pid)
            assert not server.found("socket_unused")


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
                done = ctl(folder, "--json", "upgrade")
                assert done.returncode == 0, done.stderr
                heir = json.loads(done.stdout)["pid"]
                server.follow(heir)
                masters.add(f"{heir}\n")
                assert (folder / "pid").read_text() == f"{heir}\n"
                assert json.loads(ctl(folder, "--json", "status").stdout)["pid"] == heir
                assert server.wait("listening", pid=heir)["addresses"] == [f"unix:{folder / 's'}", port]
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
        done = ctl(folder, "--json", "upgrade")
        assert done.returncode == 1
        assert "not today" in done.stderr


def test_addresses_and_files_may_change(folder: Path) -> None:
    """What the new master has no use for is closed and removed; what it asks for besides is opened."""
    config = folder / "config.toml"
    config.write_text('bind = ["unix:a", "127.0.0.1:0"]\ncontrol = "c1"\npidfile = "p1"\nadmin = "127.0.0.1:0"\n')
    with Server(*ARGS, "--config", "config.toml", cwd=folder, bind=False) as server:
        config.write_text('bind = ["127.0.0.1:0", "unix:b"]\npidfile = "p2"\n')
        heir = server.upgrade()
        assert server.wait("listening", pid=heir)["addresses"] == [server.addresses[1], f"unix:{folder / 'b'}"]
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
