"""A server on a real terminal: what the terminal sends to its processes says nothing to it."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any

from tests.harness import PATIENCE, Server
from tests.server.control import ctl
from tests.server.raw import Peer, message
from tests.server.services import ARGS
from tests.support import ROOT

#: Takes the terminal that is its stdin as its own, and becomes the server.
TAKE = "import fcntl, os, sys, termios; fcntl.ioctl({fd}, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"


def on_terminal(folder: Path, slave: int, *args: str) -> Server:
    prefix = (sys.executable, "-c", TAKE.format(fd=slave))
    return Server(*ARGS, "--control", "control", *args, cwd=folder, prefix=prefix, pass_fds=(slave,), bind=True)


def served(server: Server) -> None:
    with Peer(server) as peer:
        assert peer.ask(message("pid")) is not None


def test_what_a_terminal_sends_changes_nothing_until_it_is_gone(folder: Path) -> None:
    master, slave = pty.openpty()
    with on_terminal(folder, slave, "-b", "127.0.0.1:0") as server:
        os.close(slave)
        assert server.wait("signals_ignored")["signals"] == ["WINCH", "TTIN", "TTOU"]
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 90, 0, 0))
        for number in (signal.SIGWINCH, signal.SIGTTIN, signal.SIGTTOU):
            os.killpg(server.pid, number)
        assert ctl(folder, "scale", "2").returncode == 0
        server.wait("worker_ready", count=2)
        assert ctl(folder, "rest").returncode == 0
        server.wait("worker_exit", count=2)
        assert len(server.found("scaled")) == 1, "asked for with ctl, not by the terminal"
        assert len(server.found("resting")) == 1
        assert not server.found("stacks")
        os.close(master)  # the window is closed: HUP, and no terminal any more
        server.wait("reloaded")
        server.eventually(lambda: _tty(server.pid) == "0" and not _ignored(server.pid, signal.SIGTTIN), "end")
        server.signal(signal.SIGTTIN)
        server.wait("scaled", count=2)
        served(server)


def _tty(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[4]


def _ignored(pid: int, number: int) -> bool:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigIgn"))
    return bool(int(line.split()[1], 16) >> number - 1 & 1)


def test_nobody_is_killed_for_the_time_that_all_were_stopped(folder: Path) -> None:
    with Server(*ARGS, "--timeout", "1s", cwd=folder) as server:
        os.killpg(server.pid, signal.SIGSTOP)
        server.process.poll()
        signal.sigtimedwait([], 2.5)  # longer than the time limit
        os.killpg(server.pid, signal.SIGCONT)
        server.signal(signal.SIGHUP)
        server.wait("reloaded")
        served(server)
        assert not server.found("worker_hung")
        assert not server.found("worker_killed")


def test_a_server_in_the_background_may_write_to_a_terminal_that_stops_others(folder: Path) -> None:
    """``stty tostop``: what else writes there from the background is stopped."""
    master, slave = pty.openpty()
    jobs = """
stty tostop
sh -c 'echo other' &
echo $! >other.new && mv other.new other
"$@" &
wait $!
"""
    shell = [sys.executable, "-c", TAKE.format(fd=0), "/bin/sh", "-mc", jobs, "sh"]
    server = [sys.executable, "-m", "thriftserver", "run", *ARGS, "-b", "127.0.0.1:0", "--log-format", "json"]
    env, terminal = os.environ | {"PYTHONPATH": str(ROOT)}, {"stdin": slave, "stdout": slave, "stderr": slave}
    with subprocess.Popen([*shell, *server], cwd=folder, env=env, start_new_session=True, **terminal) as process:
        os.close(slave)
        try:
            pid = said(master, "ready")["pid"]
            assert os.getpgid(pid) != process.pid, "a group of its own, which is not in the foreground"
            stopped(int((folder / "other").read_text()))  # or this terminal stops nobody
            os.kill(pid, signal.SIGHUP)
            said(master, "reloaded")
            os.kill(pid, signal.SIGTERM)
            said(master, "stopped")
        finally:
            os.close(master)  # which ends all that is left


def said(terminal: int, event: str) -> dict[str, Any]:
    """The line of the log with this event, once it stands on the terminal."""
    text = b""
    watch = select.poll()
    watch.register(terminal, select.POLLIN)
    while watch.poll(PATIENCE * 1000):
        text += os.read(terminal, 65536)
        *lines, text = text.split(b"\r\n")
        for line in lines:
            found: dict[str, Any] = json.loads(line) if line.startswith(b"{") else {}
            if found.get("event") == event:
                return found
    raise AssertionError(f"no {event}: {text!r}")


def stopped(pid: int) -> None:
    """Wait until a process is."""
    end = time.monotonic() + PATIENCE
    while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
        assert time.monotonic() < end
        time.sleep(0.01)
