"""The master and systemd: what it is told (ready, reloading, status, alive), and the sockets it hands over.

Both protocols are a few environment variables; they are taken out of the environment, so that no child acts on them. It
decides nothing: it hears news as any observer does.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import MutableMapping

from thriftserver.errors import BindError
from thriftserver.log import Logger
from thriftserver.master import views
from thriftserver.master.events import News, Phase, State
from thriftserver.scoreboard import layout
from thriftserver.scoreboard.board import Board

#: The first descriptor that is passed, by sd_listen_fds(3).
FIRST = 3
#: Seconds that systemd is asked for at each tick of a start, reload or stop: the master keeps time limits of its own.
PATIENCE = 15.0
#: Seconds for one message; systemd is slow to read only while something is very wrong.
SEND = 1.0


class Notifier:
    """Tells systemd how the master is. Made before any child; silent when nobody asked to be told."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self._path = environ.pop("NOTIFY_SOCKET", "")
        usec, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        mine = usec.isdecimal() and pid in ("", str(os.getpid()))
        #: Seconds within which systemd must hear that all is well; 0: it does not want to.
        self.watchdog = int(usec) / 1e6 if mine else 0.0
        self._board: Board | None = None
        self._broken = False
        self._rejected = ""
        self._before: tuple[int, float] | None = None

    def environment(self) -> dict[str, str]:
        """The variables that this was made of, for another master to be started with."""
        if not self._path:
            return {}
        watchdog = {"WATCHDOG_USEC": str(round(self.watchdog * 1e6))} if self.watchdog else {}
        return {"NOTIFY_SOCKET": self._path} | watchdog

    def watch(self, board: Board) -> Notifier:
        """Where the numbers come from."""
        self._board = board
        return self

    def announce(self, news: News, text: str) -> None:
        if news is News.RELOADING:
            self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        elif news is News.REJECTED:
            self._rejected = f"reload rejected: {' '.join(text.split())}"[:500]
            self._send("READY=1", f"STATUS={self._rejected}")
        elif news in (News.READY, News.RELOADED):
            self._rejected = ""
            self._send("READY=1")
        elif news is News.STOPPING:
            self._send("STOPPING=1", "STATUS=finishing what runs")
        elif news is News.UPGRADED:
            self._send(f"MAINPID={text}")
            self._path = ""  # the new master speaks from now on

    def tick(self, state: State, now: float) -> None:
        if not self._path or self._board is None:
            return
        lines = []
        if state.phase is not Phase.RUNNING:
            lines.append(f"EXTEND_TIMEOUT_USEC={int(PATIENCE * 1e6)}")
        if state.phase is not Phase.STOPPING:
            lines.append(f"STATUS={self._status(state, self._board)}")
        if self.watchdog and _well(state, self._board, self.watchdog, now):
            lines.append("WATCHDOG=1")
        self._send(*lines)

    def _status(self, state: State, board: Board) -> str:
        facts = views.status(state, board)
        calls, clock = before = facts["calls"], facts["clock"]
        rate = 0.0
        if self._before is not None and clock > self._before[1]:
            rate = (calls - self._before[0]) / (clock - self._before[1])
        self._before = before
        text = f"{facts['workers']}/{facts['target']} workers, {facts['inflight']} in flight, {_short(rate)} rps"
        return f"{text}; {self._rejected}" if self._rejected else text

    def _send(self, *lines: str) -> None:
        """One message, through a socket that no child inherits. One line of the log when nobody can be reached."""
        if not self._path or not lines:
            return
        address = "\0" + self._path[1:] if self._path.startswith("@") else self._path
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.settimeout(SEND)
                sock.sendto("\n".join(lines).encode(), address)
        except OSError as error:
            if not self._broken:
                self._broken = True
                Logger().error("systemd_unreachable", socket=self._path, reason=error.strerror or str(error))


def _well(state: State, board: Board, limit: float, now: float) -> bool:
    """Does a worker that serves go round? While none serves, because all boot or rest, that is as it should be.

    A single hung worker is no reason to end the service: the master replaces it.
    """
    serving = [worker for worker in state.workers.values() if worker.ready and worker.stays]
    beats = [board.slot_words(worker.number)[layout.HEARTBEAT] / 1e9 for worker in serving]
    return not beats or now - max(beats) < limit


def _short(rate: float) -> str:
    return f"{rate / 1000:.1f}k" if rate >= 1000 else f"{rate:.0f}"


def passed_sockets(environ: MutableMapping[str, str]) -> list[socket.socket]:
    """The listening sockets that systemd hands to this process. Raises BindError for anything else among them."""
    number, pid = environ.pop("LISTEN_FDS", ""), environ.pop("LISTEN_PID", "")
    names = environ.pop("LISTEN_FDNAMES", "").split(":")
    if pid != str(os.getpid()) or not number.isdecimal():
        return []
    found = []
    for place in range(int(number)):
        fd = FIRST + place
        name = names[place] if place < len(names) and names[place] else "unnamed"
        try:
            os.set_inheritable(fd, False)
            sock = socket.socket(fileno=fd)
            stream = sock.type == socket.SOCK_STREAM and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        except OSError as error:
            raise BindError(f"descriptor {fd} ({name}), passed by systemd: {error.strerror}") from None
        if not stream:
            raise BindError(f"descriptor {fd} ({name}), passed by systemd, is no listening stream socket")
        found.append(sock)
    return found
