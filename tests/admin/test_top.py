"""``thriftserver top`` as a person and a script run it: a real terminal, a real admin process."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import sys
import time

import pytest

from tests.admin.conftest import ADD, CALCULATE, MS, PEER, Admin, Script
from tests.harness import PATIENCE, run
from tests.support import ROOT
from thriftserver.cli.top import ORDERS, screen
from thriftserver.scoreboard import layout

TOP = [sys.executable, "-m", "thriftserver", "top"]


def top(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return run(ROOT, "top", *args, **env)


def test_once(admin: Admin, script: Script) -> None:
    script.beat(1)
    script.silence(2, 90)
    script.pens[1].finish(ADD, layout.SUCCESS, -1, 3 * MS, 0, 1, 1)
    script.pens[2].begin(CALCULATE, 1, 1, 1, 1, PEER)
    done = top("--admin", f"127.0.0.1:{admin.port}", "--once")
    assert (done.returncode, done.stderr) == (0, "")
    assert "worker 2 (pid 1002) is stuck" in done.stdout
    assert re.search(r"^ +2 +1002 +2 +stuck +1m3\ds", done.stdout, re.MULTILINE)
    assert re.search(r"^Calculator\.add ", done.stdout, re.MULTILINE)
    assert "\x1b" not in done.stdout
    done = top("--once", "--json", THRIFTSERVER_ADMIN=admin.url)
    data = json.loads(done.stdout)
    assert [worker["state"] for worker in data["workers"]["workers"]] == ["serving", "stuck"]
    assert data["calls"]["calls"][0]["method"] == "calculate"


def test_what_is_lost_is_shown(admin: Admin, script: Script) -> None:
    assert " lost: " not in top("--admin", admin.url, "--once").stdout
    script.pens[1].finish(ADD, layout.LOST, -1, 3 * MS, 0, 1, 1)
    script.board.words[layout.BOARD_LOST_CONNECTIONS] = 3
    shown = top("--admin", admin.url, "--once").stdout.splitlines()
    assert "calls lost: 1 (calls that died with their worker; the log has each as call_lost)" in shown
    assert "connections lost: 3 (connections that died with their worker)" in shown


def test_what_makes_no_sense_is_said(admin: Admin) -> None:
    for args, code, what in (
        (["--once"], 2, "give --admin"),
        (["--admin", "127.0.0.1:1", "--once"], 7, "does not answer"),
        (["--admin", "unix:/x", "--once"], 2, "write HOST:PORT"),
        (["--admin", admin.url], 2, "needs a terminal"),
        (["--admin", admin.url, "--json"], 2, "--json needs --once"),
        (["--admin", admin.url, "--once", "--interval", "x"], 2, "--interval"),
    ):
        done = top(*args)
        assert (done.returncode, what in done.stderr) == (code, True), done.stderr
        assert "Traceback" not in done.stderr


def test_live(admin: Admin, script: Script) -> None:
    script.beat()
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        [*TOP, "--admin", admin.url, "--interval", "100ms"], cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    text = b""

    def until(wanted: bytes) -> None:
        nonlocal text
        end = time.monotonic() + PATIENCE
        while wanted not in text:
            assert select.select([terminal], [], [], end - time.monotonic())[0], (wanted, text[-2000:])
            text += os.read(terminal, 65536)

    until(b"*P99")
    os.write(terminal, b"r")
    until(b"*CALLS/S")
    os.write(terminal, b"i")
    until(b"*FLIGHT")
    os.write(terminal, b"q")
    until(b"\x1b[?1049l")
    assert process.wait(PATIENCE) == 0
    os.close(terminal)


def method(name: str, **facts: object) -> dict[str, object]:
    nothing = {
        "rate": 0,
        "failures": 0,
        "p50": None,
        "p99": None,
        "oldest": None,
        "in_flight": 0,
        "calls": 0,
        "failed": 0,
    }
    return {"service": "S", "method": name, **nothing, **facts}


@pytest.mark.parametrize("order", list(ORDERS))
def test_orders_and_sizes(order: str, admin: Admin) -> None:
    data = {name: admin.json(f"/{name}") for name in ("workers", "methods")}
    first = {
        "rate": {"rate": 5},
        "p99": {"oldest": 9},
        "inflight": {"in_flight": 3},
        "failures": {"failures": 1},
        "name": {},
    }
    data["methods"]["methods"] = [
        *(method(f"n{number}\x1b[2J") for number in range(1000)),
        method("a_first" + "x" * 300, **first[order]),
    ]
    for height in (10, 24, 60):
        lines = screen(data, order, 80, height, False)
        assert len(lines) <= height
        assert "\x1b" not in "".join(lines)
    place = next(place for place, line in enumerate(lines) if line.startswith("METHOD"))
    assert lines[place + 1].startswith("~xxx")
