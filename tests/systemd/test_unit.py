"""The shipped unit's life under systemctl: start, reload, watchdog, socket activation."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Callable

import pytest

from tests.harness import PATIENCE
from tests.load import Load, Newcomers
from tests.server.raw import Peer, message
from tests.server.services import HANDLER
from tests.systemd.service import CONFIG, Service

Make = Callable[..., Service]

#: Loads once a test has made the file ``go``.
SLOW = """
import pathlib, time
pathlib.Path("importing").touch()
while not pathlib.Path("go").exists():
    time.sleep(0.01)
"""


def version(it: Service) -> str:
    with Peer(it) as peer:
        answer = peer.ask(message("version"))
    assert answer is not None
    return answer.body[7:-1].decode()


def test_start_returns_when_every_worker_has_loaded_the_handler(service: Make) -> None:
    it = service(SLOW + HANDLER)
    starting = subprocess.Popen(it.machine.inside("systemctl", "start", it.unit))
    it.eventually((it.folder / "importing").exists, "import")
    assert it.show("ActiveState") == "activating"
    assert starting.poll() is None
    (it.folder / "go").touch()
    assert starting.wait(PATIENCE) == 0
    assert it.show("ActiveState") == "active"
    assert version(it) == "1"
    it.eventually(lambda: re.match(r"2/2 workers, 0 in flight, \d+ rps", it.show("StatusText")) is not None, "status")
    assert 'Status: "2/2 workers, 0 in flight' in it.systemctl("status").stdout


def test_an_import_may_take_longer_than_systemd_s_own_patience(service: Make) -> None:
    it = service("import time\ntime.sleep(4)\n" + HANDLER, unit="[Service]\nTimeoutStartSec=2s\n")
    it.systemctl("start")
    assert version(it) == "1"
    assert it.show("NRestarts") == "0"
    assert it.found("worker_ready")[0]["boot_s"] > 2


def test_a_start_that_cannot_work_fails_with_the_reason_and_is_not_repeated(service: Make) -> None:
    it = service("import nothing_of_that_name\n")
    assert it.systemctl("start", check=False).returncode != 0
    assert it.show("ActiveState") == "failed"
    assert it.show("ExecMainStatus") == "4"
    it.journal()
    assert any("nothing_of_that_name" in line for line in it.other)


def test_reloads_under_load_serve_new_code_and_lose_nothing(service: Make) -> None:
    it = service()
    it.systemctl("start")
    with Newcomers(it) as newcomers, Load(it, 16) as load:
        for new in ("22", "333", "4444"):  # of other lengths: Python takes a file of the same second and size for old
            (it.folder / "demo.py").write_text(HANDLER.replace('"1"', f'"{new}"'))
            it.systemctl("reload")
            it.eventually(lambda new=new: version(it) == new, "new code")  # type: ignore[misc]
    assert load.clean(), load
    assert not newcomers.failures
    assert it.show("ActiveState") == "active"
    assert it.show("NRestarts") == "0"


@pytest.mark.parametrize("broken", ["handler", "idl", "configuration"])
def test_a_reload_that_cannot_work_fails_and_the_old_code_serves(service: Make, broken: str) -> None:
    it = service()
    it.systemctl("start")
    before = it.pid
    with Load(it, 8) as load:
        match broken:
            case "handler":
                (it.folder / "demo.py").write_text("def broken(:\n")
                reason = "demo.py:1"
            case "idl":
                (it.folder / "demo.thrift").write_text("service Demo {\n  i32 add(1: i33 a)\n}\n")
                reason = "demo.thrift:2:"
            case _:
                it.configure(CONFIG + "wrokers = 3\n")
                reason = "wrokers"
        assert it.systemctl("reload", check=False).returncode != 0
        it.eventually(lambda: reason in it.show("StatusText"), "reason in the status")
        assert it.found("reload_rejected")
        assert any(reason in line for line in it.other), "and in the journal, from ctl"
        assert version(it) == "1"
    assert load.clean(), load
    assert it.pid == before
    (it.folder / "demo.py").write_text(HANDLER.replace('"1"', '"2"'))
    it.configure(CONFIG)
    if broken != "idl":
        it.systemctl("reload")
        it.eventually(lambda: "rejected" not in it.show("StatusText"), "the status of a reload that works")


def test_a_trial_may_be_longer_than_systemd_waits_and_a_roll_back_fails_the_reload(
    service: Make,
) -> None:
    it = service(config=CONFIG + 'canary = "5s"\n', unit="[Service]\nTimeoutStartSec=2s\n")
    it.systemctl("start")
    it.systemctl("reload")
    assert it.found("canary_inconclusive")[0]["tried_s"] >= 5
    it.eventually(lambda: len(it.found("worker_exit", code=0)) == 2, "the first generation's end")
    dies = "import os, threading\nthreading.Timer(3.0, os.abort).start()\n"
    (it.folder / "demo.py").write_text(dies + HANDLER)
    assert it.systemctl("reload", check=False).returncode != 0
    assert it.show("StatusText").endswith("in the old generation")
    assert it.found("reload_rolled_back")[0]["evidence"][0]["what"] == "crash"
    assert (it.show("ActiveState"), it.show("NRestarts"), version(it)) == ("active", "0", "1")


def test_a_master_that_stands_still_is_killed_and_restarted_and_refuses_nobody(service: Make) -> None:
    it = service(unit="[Service]\nWatchdogSec=2s\n")
    it.systemctl("start")
    address = (it.host, it.port)
    with Newcomers(it) as newcomers:
        it.machine.run("systemctl", "kill", "--kill-who=main", "--signal=STOP", it.unit)
        it.eventually(lambda: it.show("NRestarts") == "1" and it.show("ActiveState") == "active", "restart")
    assert (it.host, it.port) == address
    assert version(it) == "1"
    assert not [each for each in newcomers.failures if "Refused" in each]
    assert any("Watchdog timeout" in line for line in it.manager())


def test_a_service_in_order_is_left_alone_by_the_watchdog(service: Make) -> None:
    it = service(unit="[Service]\nWatchdogSec=3s\n")
    it.systemctl("start")
    told = int(it.show("WatchdogTimestampMonotonic"))
    it.eventually(lambda: int(it.show("WatchdogTimestampMonotonic")) > told + 4_000_000, "four seconds of watching")
    assert it.show("NRestarts") == "0"


def test_the_first_connection_starts_the_service_and_is_served(service: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    it = service(config=CONFIG.replace('bind = ["127.0.0.1:0"]', ""))
    it.drop_in(it.socket, f"[Socket]\nListenStream=\nListenStream=127.0.0.1:{port}\n")
    it.machine.run("systemctl", "start", it.socket)
    assert it.show("ActiveState") == "inactive"
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as early:
        early.sendall(message("version"))
        assert b"1" in early.recv(4096)
        it.eventually(lambda: it.show("ActiveState") == "active", "start")
        assert (it.host, it.port) == ("127.0.0.1", port)
        assert it.show("NFileDescriptorStore") == "0", "the socket is the unit's own"
        with Newcomers(it) as newcomers, Load(it, 8) as load:
            for _ in range(2):
                it.systemctl("restart")
        assert load.clean(), load
        assert not newcomers.failures
        early.sendall(message("version"))
        assert b"1" in early.recv(4096)


def test_a_socket_unit_and_an_address_of_our_own_are_told_apart(service: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    it = service(config=CONFIG.replace('"127.0.0.1:0"', f'"127.0.0.1:{port}", "127.0.0.1:0"'))
    it.drop_in(it.socket, f"[Socket]\nListenStream=\nListenStream=127.0.0.1:{port}\n")
    it.machine.run("systemctl", "start", it.socket)
    it.systemctl("start")
    before = it.addresses
    assert before[0] == f"127.0.0.1:{port}"
    assert it.show("NFileDescriptorStore") == "1"
    with Load(it, 4) as load:
        it.systemctl("restart")
    assert load.clean(), load
    assert it.addresses == before
    assert not it.found("socket_unused")


def test_children_see_none_of_systemd_s_variables(service: Make) -> None:
    it = service('import os, pathlib\npathlib.Path("environment").write_text(" ".join(os.environ))\n' + HANDLER)
    for command in ("start", "restart"):
        it.systemctl(command)
        seen = (it.folder / "environment").read_text().split()
        assert "INVOCATION_ID" in seen
        assert not [each for each in seen if each.startswith(("LISTEN_", "NOTIFY_", "WATCHDOG_", "FDSTORE"))]


def test_a_service_that_is_stopped_leaves_nothing(service: Make) -> None:
    it = service()
    it.systemctl("start")
    assert (it.machine.root / "run" / it.unit.removesuffix(".service").replace("@", "-") / "control").exists()
    it.systemctl("stop")
    assert not it.machine.run("pgrep", "-f", it.unit, check=False).stdout
    assert not (it.machine.root / "run" / it.unit.removesuffix(".service").replace("@", "-")).exists()
    assert (it.show("Result"), it.show("ExecMainStatus")) == ("success", "0")
