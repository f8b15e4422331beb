"""What a real server tells a notify socket, and what it makes of the sockets it is passed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import pytest

import thriftserver
from tests.harness import PATIENCE, Server
from tests.server.raw import Peer, add, field, message, text
from tests.server.services import ARGS, HANDLER, write_demo
from tests.support import ROOT, need
from thriftserver.master.systemd import Unit

#: Becomes the command that follows, with the descriptors named first in the places and variables of sd_listen_fds(3).
PASS = """
import fcntl, os, sys
high = [fcntl.fcntl(int(fd), fcntl.F_DUPFD, 100) for fd in sys.argv[1].split(",")]
for place, fd in enumerate(high):
    os.dup2(fd, 3 + place)
    os.close(fd)
os.environ.update(LISTEN_FDS=str(len(high)), LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES=sys.argv[2])
os.execv(sys.argv[3], sys.argv[3:])
"""
#: A handler that leaves behind the environment it sees.
WITNESS = 'import os, pathlib\npathlib.Path("environment").write_text(" ".join(os.environ))\n'


class Systemd:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, address: str) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(address.replace("@", "\0", 1))
        self.sock.settimeout(PATIENCE)
        self.env = {"NOTIFY_SOCKET": address}
        #: What it was given to keep: names and descriptors.
        self.stored: list[tuple[str, int]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def message(self) -> dict[str, str]:
        data, descriptors, _, _ = socket.recv_fds(self.sock, 65536, 8)
        message = dict(line.split("=", 1) for line in data.decode().split("\n"))
        for descriptor in descriptors:
            if "FDSTORE" in message:
                self.stored.append((message["FDNAME"], descriptor))
            else:
                os.close(descriptor)
        return message

    def wait(self, fits: Callable[[dict[str, str]], object]) -> list[dict[str, str]]:
        """Every message up to the first one that fits."""
        messages = [self.message()]
        while not fits(messages[-1]):
            messages.append(self.message())
        return messages


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_demo(tmp_path)


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    with Systemd(str(tmp_path / "notify")) as it:
        yield it


def call(address: str, folder: Path) -> Any:
    api = thriftserver.load(folder / "demo.thrift")
    host, _, port = address.rpartition(":")
    unix = address.startswith("unix:")
    return api.Demo.Client(address if unix else host.strip("[]"), 0 if unix else int(port), timeout=PATIENCE)


def has(key: str) -> Callable[[dict[str, str]], bool]:
    return lambda message: key in message


def test_ready_only_when_every_worker_is_and_stopping_at_the_end(folder: Path, systemd: Systemd) -> None:
    with Server(*ARGS, "--workers", "2", cwd=folder, env=systemd.env) as server:
        before = systemd.wait(has("READY"))
        assert before[-1] == {"READY": "1"}
        assert len(server.found("worker_ready")) == 2
        assert not any("STOPPING" in message for message in before)
        status = systemd.wait(lambda message: message.get("STATUS", "").startswith("2/2"))[-1]["STATUS"]
        assert re.fullmatch(r"2/2 workers, 0 in flight, [\d.]+k? rps", status)
        assert server.stop() == 0
        assert systemd.wait(has("STOPPING"))[-1]["STOPPING"] == "1"


def test_a_reload_is_told_with_its_beginning_and_end(folder: Path, systemd: Systemd) -> None:
    with Server(*ARGS, cwd=folder, env=systemd.env) as server:
        systemd.wait(has("READY"))
        server.signal(signal.SIGHUP)
        begun = systemd.wait(has("RELOADING"))[-1]
        assert begun["RELOADING"] == "1"
        assert int(begun["MONOTONIC_USEC"]) > 0
        assert "STATUS" not in systemd.wait(has("READY"))[-1]


def test_a_rejected_reload_is_ready_again_and_stays_in_the_status(folder: Path, systemd: Systemd) -> None:
    with Server(*ARGS, cwd=folder, env=systemd.env) as server:
        systemd.wait(has("READY"))
        (folder / "demo.py").write_text("def broken(:")
        server.signal(signal.SIGHUP)
        systemd.wait(has("RELOADING"))
        told = systemd.wait(has("READY"))[-1]
        assert told["STATUS"].startswith("reload rejected: ")
        assert "demo.py:1" in told["STATUS"]
        assert systemd.wait(lambda message: "1/1 workers" in message.get("STATUS", ""))[-1]["STATUS"].endswith(
            told["STATUS"]
        )
        (folder / "demo.py").write_text(HANDLER)
        server.signal(signal.SIGHUP)
        systemd.wait(has("READY"))
        assert "rejected" not in systemd.wait(lambda message: "1/1 workers" in message.get("STATUS", ""))[-1]["STATUS"]


def test_the_watchdog_is_fed_only_while_a_worker_goes_round(folder: Path, systemd: Systemd) -> None:
    env = systemd.env | {"WATCHDOG_USEC": "1500000"}
    with Server(*ARGS, "--timeout", "0", cwd=folder, env=env) as server:
        systemd.wait(has("READY"))
        systemd.wait(has("WATCHDOG"))
        (worker,) = server.workers()
        os.kill(worker, signal.SIGSTOP)
        try:
            systemd.wait(lambda message: "STATUS" in message and "WATCHDOG" not in message)
        finally:
            os.kill(worker, signal.SIGCONT)
        systemd.wait(has("WATCHDOG"))


def test_a_watchdog_that_means_another_process_is_not_fed(folder: Path, systemd: Systemd) -> None:
    env = systemd.env | {"WATCHDOG_USEC": "1500000", "WATCHDOG_PID": "1"}
    with Server(*ARGS, cwd=folder, env=env):
        systemd.wait(has("READY"))
        for _ in range(2):
            assert "WATCHDOG" not in systemd.wait(has("STATUS"))[-1]


def test_an_abstract_socket_is_reached_too(folder: Path) -> None:
    with Systemd(f"@thriftserver-{os.getpid()}") as systemd, Server(*ARGS, cwd=folder, env=systemd.env):
        systemd.wait(has("READY"))


def test_a_broken_notify_socket_is_one_line_and_no_more(folder: Path) -> None:
    with Server(*ARGS, cwd=folder, env={"NOTIFY_SOCKET": str(folder / "nobody")}) as server:
        server.signal(signal.SIGHUP)
        server.wait("reloaded")
        assert server.stop() == 0
        (line,) = server.found("systemd_unreachable")
        assert line["reason"] == "No such file or directory"


def listening(address: Any = ("127.0.0.1", 0), family: socket.AddressFamily = socket.AF_INET) -> socket.socket:
    sock = socket.socket(family)
    sock.bind(address)
    sock.listen()
    return sock


def passing(*socks: socket.socket) -> dict[str, Any]:
    return giving([("thrift", sock.fileno()) for sock in socks])


def giving(named: Sequence[tuple[str, int]]) -> dict[str, Any]:
    names, fds = zip(*named, strict=True)
    return {"prefix": (sys.executable, "-c", PASS, ",".join(map(str, fds)), ":".join(names)), "pass_fds": fds}


def test_passed_sockets_are_used_and_no_child_hears_of_them(folder: Path, systemd: Systemd) -> None:
    (folder / "demo.py").write_text(WITNESS + HANDLER)
    env = systemd.env | {"WATCHDOG_USEC": "60000000"}
    with listening() as tcp, listening(str(folder / "s"), socket.AF_UNIX) as unix:
        with Server(*ARGS, cwd=folder, env=env, **passing(tcp, unix)) as server:
            assert server.addresses == [f"127.0.0.1:{tcp.getsockname()[1]}", f"unix:{folder / 's'}"]
            for address in server.addresses:
                with call(address, folder) as demo:
                    assert demo.add(1, 2) == 3
            seen = (folder / "environment").read_text().split()
            assert "PATH" in seen
            assert not [name for name in seen if name.startswith(("LISTEN_", "NOTIFY_", "WATCHDOG_"))]
        assert (folder / "s").exists(), "it is systemd's"


def test_with_bind_the_sockets_that_match_are_used_and_others_closed(folder: Path) -> None:
    with listening() as wanted, listening() as other:
        address = f"127.0.0.1:{wanted.getsockname()[1]}"
        unused = f"127.0.0.1:{other.getsockname()[1]}"
        binds = ("--bind", address, "--bind", "127.0.0.1:0")
        with Server(*ARGS, *binds, cwd=folder, **passing(wanted, other)) as server:
            assert server.addresses[0] == address
            assert len(server.addresses) == 2
            assert unused not in server.addresses
            assert server.found("socket_unused", address=unused)
            with call(address, folder) as demo:
                assert demo.add(1, 2) == 3


def test_sockets_for_another_process_are_left_alone(folder: Path) -> None:
    env = {"LISTEN_FDS": "1", "LISTEN_PID": "1"}
    with Server(*ARGS, cwd=folder, env=env) as server, call(server.addresses[0], folder) as demo:
        assert demo.add(1, 2) == 3


def test_what_cannot_be_listened_on_is_one_message(folder: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        server = Server(*ARGS, cwd=folder, ready=False, **passing(datagrams))
        assert server.exit_code() == 5
        server.stop()
    assert server.other == ["Error: descriptor 3 (thrift), passed by systemd: it is no listening stream socket\n"]


def test_what_is_stored_at_a_stop_serves_on_in_the_next_master(folder: Path, systemd: Systemd) -> None:
    """Without systemctl a stop looks like a restart."""
    env = systemd.env | {"FDSTORE": "9", "PATH": "/nowhere"}
    with ExitStack() as stack:
        with Server(*ARGS, "-w", "2", cwd=folder, env=env) as server:
            address = server.addresses[0]
            idle, half, large = (stack.enter_context(Peer(server)) for _ in range(3))
            point = message("echo", field(12, 1, field(11, 2, text("x" * 200_000)) + b"\0") + b"\0")
            for peer in (idle, half, large):
                assert peer.ask(message("add", add(1, 2))) is not None
            half.send(point[:9])
            large.send(point[:150_000])
            server.signal(signal.SIGTERM)
            systemd.wait(has("BARRIER"))
            assert server.exit_code() == 0
            assert server.wait("connections_kept")["connections"] == 3
        (listener, _), (queue, _) = systemd.stored
        assert (listener, queue) == ("bind 127.0.0.1%3A0", "connections")
        with Server(*ARGS, "--bind", "127.0.0.1:0", cwd=folder, env=env, **giving(systemd.stored)) as server:
            for _, descriptor in systemd.stored:
                os.close(descriptor)
            assert server.addresses == [address]
            assert server.wait("connections_inherited")["connections"] == 3
            assert idle.ask(message("add", add(1, 2))) is not None
            half.send(point[9:])
            large.send(point[150_000:])
            assert half.answer() == large.answer()
            assert systemd.wait(has("FDSTOREREMOVE"))[-1]["FDNAME"] == "connections"
            idle.sock.close()


def test_a_service_may_be_asked_to_stay_away_from_the_store(folder: Path, systemd: Systemd) -> None:
    with Server(*ARGS, cwd=folder, env=systemd.env | {"FDSTORE": "0"}) as server, Peer(server) as peer:
        assert peer.ask(message("add", add(1, 2))) is not None
        assert server.stop() == 0
        assert peer.rest() == b""
        systemd.wait(has("STOPPING"))
        assert not systemd.stored


@pytest.mark.parametrize(
    ("cgroup", "name", "of_user"),
    [
        ("0::/system.slice/demo.service\n", "demo.service", False),
        ("3:cpu:/\n1:name=systemd:/system.slice/system-a.slice/a@b.service/sub\n0::/\n", "a@b.service", False),
        ("0::/user.slice/user-1.slice/user@1.service/app.slice/demo.service\n", "demo.service", True),
        ("0::/user.slice/user-1.slice/user@1.service/app.slice/terminal.scope\n", "", True),
        ("0::/user.slice/user-1.slice/session-1.scope\n", "", False),
        ("0::/\n", "", False),
    ],
)
def test_the_unit_is_read_from_the_control_group(cgroup: str, name: str, of_user: bool) -> None:
    unit = Unit(cgroup)
    assert (unit.name, unit.of_user) == (name, of_user)


def test_the_units_are_what_systemd_expects(tmp_path: Path) -> None:
    need(shutil.which("systemd-analyze"), "systemd-analyze (apt install systemd)")
    program = Path(sys.executable).with_name("thriftserver")
    units = []
    for kind in ("service", "socket"):
        text = (
            (ROOT / "conf" / f"thriftserver@.{kind}")
            .read_text()
            .replace("/opt/thriftserver/bin/thriftserver", str(program))
        )
        units.append(tmp_path / f"thriftserver@demo.{kind}")
        units[-1].write_text(text)
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")
    # 5.0 is where systemd ceases to say OK.
    rate = ["systemd-analyze", "security", "--offline=yes", "--threshold=49", units[0]]
    rated = subprocess.run(rate, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert rated.returncode == 0, rated.stdout[-300:]
