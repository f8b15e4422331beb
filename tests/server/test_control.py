"""``thriftserver ctl`` and the control socket, with a real server: answers, exit codes, callers that do not behave."""

from __future__ import annotations

import json
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness import PATIENCE, Server
from tests.server.control import ctl
from tests.server.raw import Peer, add, field, message
from tests.server.services import ARGS


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with Server(*ARGS, "-w", "2", "--control", "control", cwd=folder) as it:
        yield it


def told(folder: Path, *args: str) -> Any:
    done = ctl(folder, "--json", *args)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_only_its_user_may_open_it_and_it_is_gone_at_the_end(server: Server, folder: Path) -> None:
    path = folder / "control"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ctl(folder, "stop").returncode == 0
    assert server.exit_code() == 0
    assert not path.exists()
    done = ctl(folder, "status")
    assert done.returncode == 3
    assert "no server answers" in done.stderr


def test_status_workers_and_calls_tell_what_is_the_case(server: Server, folder: Path) -> None:
    with Peer(server) as peer, Peer(server) as busy:
        peer.ask(message("add", add(1, 2)))
        busy.send(message("nap", field(4, 1, b"\xbf\xf0" + bytes(6)) + b"\0"))
        server.wait("napping")
        status = told(folder, "status")
        assert (status["phase"], status["workers"], status["target"]) == ("running", 2, 2)
        assert status["calls"] >= 1
        assert status["inflight"] == 1
        workers = told(folder, "workers")["workers"]
        assert sorted(each["pid"] for each in workers) == sorted(server.workers())
        assert {each["state"] for each in workers} == {"serving"}
        (call,) = told(folder, "calls")["calls"]
        assert (call["method"], call["peer"], call["seqid"]) == ("nap", busy.name, 7)
        assert "nap" in ctl(folder, "calls").stdout
        assert ctl(folder, "stacks", str(call["pid"])).returncode == 0
        server.wait("stack", method="nap")
        (folder / "wake").touch()
        assert busy.answer() is not None


def test_reload_waits_for_its_outcome(server: Server, folder: Path) -> None:
    assert "generation 2" in ctl(folder, "reload").stdout
    (folder / "demo.py").write_text("raise RuntimeError('not today')\n")
    done = ctl(folder, "reload")
    assert done.returncode == 1
    assert "not today" in done.stderr


def test_scale_and_drain(server: Server, folder: Path) -> None:
    assert told(folder, "scale", "3")["workers"] == 3
    server.wait("worker_ready", 3)
    pid = server.workers()[0]
    assert ctl(folder, "drain", str(pid)).returncode == 0
    server.wait("worker_exit", pid=pid)
    assert ctl(folder, "drain", "1").returncode == 1
    assert ctl(folder, "scale", "0").returncode == 2


def test_callers_that_misbehave_stop_nobody(server: Server, folder: Path) -> None:
    callers = []
    for data in (b"", b"{", b"[]\n", b"\0" * 10_000, b"{" * 4000, b'{"command": "stop"', b'{"command": 1}\n'):
        for _ in range(3):
            caller = socket.socket(socket.AF_UNIX)
            caller.settimeout(PATIENCE)
            caller.connect(str(folder / "control"))
            callers.append(caller)
            try:
                caller.sendall(data)
            except OSError:
                assert len(data) > 4096
    # There are more of them than it serves at once; those that never ask make room.
    assert told(folder, "status")["phase"] == "running"
    with Peer(server) as peer:
        assert peer.ask(message("add", add(1, 2))) is not None
    for caller in callers:
        caller.close()
