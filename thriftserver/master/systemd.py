"""The master and systemd: what it is told (ready, reloading, status, alive), what it passes, and what it is asked.

The protocols are a few environment variables; they are taken out of the environment, so that no child acts on them. It
decides nothing: it hears news as any observer does. What is done with the descriptors that systemd keeps is
``fdstore``'s.
"""

from __future__ import annotations

import array
import os
import re
import select
import socket
import time
from collections.abc import Iterable, MutableMapping, Sequence
from typing import NamedTuple

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
#: Seconds for it to have read all messages, and for an answer to a question.
SETTLE, ASK = 5.0, 2.0


class Channel:
    """The way to systemd. Made before any child; silent when nobody asked to be told."""

    def __init__(self, environ: MutableMapping[str, str]) -> None:
        self.path = environ.pop("NOTIFY_SOCKET", "")
        self._broken = False

    def send(self, *lines: str, descriptors: Sequence[int] = ()) -> bool:
        """One message, through a socket that no child inherits. One line of the log when nobody can be reached."""
        if not self.path or not lines:
            return False
        address = "\0" + self.path[1:] if self.path.startswith("@") else self.path
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.settimeout(SEND)
                sock.sendmsg(["\n".join(lines).encode()], rights, 0, address)
        except OSError as error:
            if not self._broken:
                self._broken = True
                Logger().error("systemd_unreachable", socket=self.path, reason=error.strerror or str(error))
            return False
        return True

    def settle(self) -> bool:
        """Wait until systemd has acted on all that it was sent: it then closes a pipe that it was given for that."""
        read, write = os.pipe2(os.O_CLOEXEC)
        try:
            sent = self.send("BARRIER=1", descriptors=[write])
        finally:
            os.close(write)
        try:
            poll = select.poll()
            poll.register(read, 0)  # a hang-up is always told
            return sent and bool(poll.poll(SETTLE * 1000))
        finally:
            os.close(read)


class Notifier:
    """Tells systemd how the master is."""

    def __init__(self, channel: Channel, environ: MutableMapping[str, str]) -> None:
        self._channel = channel
        self._send = channel.send
        usec, pid = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        mine = usec.isdecimal() and pid in ("", str(os.getpid()))
        #: Seconds within which systemd must hear that all is well; 0: it does not want to.
        self.watchdog = int(usec) / 1e6 if mine else 0.0
        self._board: Board | None = None
        self._rejected = ""
        self._before: tuple[int, float] | None = None

    def environment(self) -> dict[str, str]:
        """The variables that this was made of, for another master to be started with."""
        if not self._channel.path:
            return {}
        watchdog = {"WATCHDOG_USEC": str(round(self.watchdog * 1e6))} if self.watchdog else {}
        return {"NOTIFY_SOCKET": self._channel.path} | watchdog

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
        elif news is News.ROLLED_BACK:
            self._rejected = " ".join(text.split())[:500]
            self._send("READY=1", f"STATUS={self._rejected}")
        elif news in (News.READY, News.RELOADED):
            self._rejected = ""
            self._send("READY=1")
        elif news is News.STOPPING:
            self._send("STOPPING=1", "STATUS=finishing what runs")
        elif news is News.UPGRADED:
            self._send(f"MAINPID={text}")
            self._channel.path = ""  # the new master speaks from now on

    def tick(self, state: State, now: float) -> None:
        if not self._channel.path or self._board is None:
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
        if trial := facts["canary"]:
            return f"{text}; canary: {trial['seconds_left']:.0f} s left"
        return f"{text}; {self._rejected}" if self._rejected else text


def _well(state: State, board: Board, limit: float, now: float) -> bool:
    """Does a worker that serves go round? While none serves, because all boot or rest, that is as it should be.

    A single hung worker is no reason to end the service: the master replaces it.
    """
    serving = [worker for worker in state.workers.values() if worker.ready and worker.stays]
    beats = [board.slot_words(worker.number)[layout.HEARTBEAT] / 1e9 for worker in serving]
    return not beats or now - max(beats) < limit


def _short(rate: float) -> str:
    return f"{rate / 1000:.1f}k" if rate >= 1000 else f"{rate:.0f}"


class Passed(NamedTuple):
    """A descriptor from systemd, and what it is called there."""

    name: str
    descriptor: int


def passed(environ: MutableMapping[str, str]) -> list[Passed]:
    """The descriptors that systemd hands to this process: those of socket units, and those it has kept."""
    number, pid = environ.pop("LISTEN_FDS", ""), environ.pop("LISTEN_PID", "")
    names = environ.pop("LISTEN_FDNAMES", "").split(":")
    if pid != str(os.getpid()) or not number.isdecimal():
        return []
    found = []
    for place in range(int(number)):
        name = names[place] if place < len(names) and names[place] else "unnamed"
        try:
            os.set_inheritable(FIRST + place, False)
        except OSError as error:
            raise _unusable(FIRST + place, name, error.strerror or str(error)) from None
        found.append(Passed(name, FIRST + place))
    return found


def listening(given: Iterable[Passed]) -> list[socket.socket]:
    """The sockets that a socket unit passes. Raises BindError for what is no listening stream socket."""
    found = []
    for name, fd in given:
        if not is_listening(fd):
            raise _unusable(fd, name, "it is no listening stream socket")
        found.append(socket.socket(fileno=fd))
    return found


def is_listening(descriptor: int) -> bool:
    sock = None
    try:
        sock = socket.socket(fileno=descriptor)
        return sock.type == socket.SOCK_STREAM and bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
    except OSError:
        return False
    finally:
        if sock is not None:
            sock.detach()


def _unusable(fd: int, name: str, why: str) -> BindError:
    return BindError(f"descriptor {fd} ({name}), passed by systemd: {why}")


class Unit:
    """The unit that this process is the service of: what systemd says of it, when it can be asked.

    It can be asked by root, and by others over the system's message bus.
    """

    def __init__(self, cgroup: str) -> None:
        units = [re.findall(r"/([^/]+\.(?:service|scope))(?=/|$)", line) for line in cgroup.splitlines()]
        inwards: list[str] = max(units, key=len, default=[])
        self.name = inwards[-1] if inwards and inwards[-1].endswith(".service") else ""
        self.of_user = len(inwards) > 1 and inwards[0].startswith("user@")

    @classmethod
    def mine(cls) -> Unit:
        with open("/proc/self/cgroup") as file:
            return cls(file.read())

    def store_limit(self) -> int:
        """Descriptors that systemd keeps for the unit; 0 when it does not say."""
        limit = self._show(self.name, "FileDescriptorStoreMax")
        return int(limit) if limit and limit.isdecimal() else 0

    def job(self) -> str | None:
        """What is being done with the unit: restart, stop; "": nothing; None: systemd does not say."""
        number = self._show(self.name, "Job")
        return self._show(number, "JobType") if number else number

    def _show(self, what: str, key: str) -> str | None:
        if not what:
            return None
        import subprocess  # here, because a start that nobody waits for with systemd needs none of it

        manager = ["--user"] if self.of_user else []
        command = ["systemctl", *manager, "show", f"--property={key}", "--value", "--", what]
        try:
            told = subprocess.run(command, capture_output=True, text=True, timeout=ASK, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return told.stdout.strip() if told.returncode == 0 else None
