"""A server on a real terminal: what the terminal sends to its processes says nothing to it."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import sys
import termios
from pathlib import Path

from tests.harness import Server
from tests.server.control import ctl
from tests.server.raw import Peer, message
from tests.server.services import ARGS

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
