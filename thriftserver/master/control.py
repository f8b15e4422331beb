"""The control socket: one line of JSON in, one line of JSON out, served by the master between its other events.

Nothing here waits: a caller that is slow, silent or hostile costs one descriptor until its time is over, and nothing
else. A request is ``{"command": "scale", "workers": 3}``; an answer ``{"ok": true, ...}`` or
``{"ok": false, "error": "..."}``. ``reload`` and ``upgrade`` are answered when their outcome is known.
"""

from __future__ import annotations

import json
import os
import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from thriftserver.assignment import TELL
from thriftserver.capture.wanted import Wanted
from thriftserver.errors import BindError
from thriftserver.log import Logger
from thriftserver.master import events, views
from thriftserver.master.errands import LISTENERS, Errands
from thriftserver.master.sockets import Heirloom, open_unix
from thriftserver.master.walls import sentence
from thriftserver.passing import receive
from thriftserver.scoreboard.board import Board

#: Callers at once and in the backlog, bytes of a request, seconds that a caller may take to ask or to read.
CALLERS, BACKLOG, REQUEST, PATIENCE = 16, 128, 4096, 10.0
#: Seconds until a caller is taken in again after there was no descriptor for one.
PAUSE = 0.5


class Refused(Exception):
    """The request cannot be done; the text says why."""


class Caller:
    """One connection, which asks once."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.deadline = time.monotonic() + PATIENCE
        self.asked = False
        self.over = False
        #: What it has passed along, until somebody else has it.
        self.passed: list[int] = []
        self._in = b""
        self._out = b""

    @property
    def interest(self) -> int:
        if self._out:
            return select.POLLOUT
        return 0 if self.asked else select.POLLIN  # poll reports a hang-up in any case

    def read(self) -> bytes | None:
        """The request, once it is complete."""
        try:
            data, passed = receive(self.sock, REQUEST)
            self.passed += passed
        except BlockingIOError:
            return None
        except OSError:
            data = b""
        self._in += data
        line, end, _ = self._in.partition(b"\n")
        if not end and (not data or len(self._in) > REQUEST):
            self.over = True
        self.asked = bool(end)
        return line if end else None

    def say(self, answer: dict[str, Any]) -> None:
        self._out += json.dumps(answer).encode() + b"\n"
        self.deadline = time.monotonic() + PATIENCE
        self.flush()

    def given(self) -> int:
        """The descriptor that it has passed along, which is whose who asks from now on. Raises Refused."""
        if not self.passed:
            raise Refused("this command comes with a socket for the answer")
        return self.passed.pop()

    def close(self) -> None:
        self.sock.close()
        while self.passed:
            os.close(self.passed.pop())

    def flush(self) -> None:
        """Send what the kernel takes; the caller is done with when that was all."""
        try:
            self._out = self._out[self.sock.send(self._out) :]
        except BlockingIOError:
            return
        except OSError:
            self._out = b""
        self.over = not self._out


class Control:
    """Serves ``path``, which only this user may open. As an observer it answers reloads when they are over.

    ``facts`` say what else there is to tell of the service.

    A socket that was ``inherited`` from an older master is served once this one has succeeded.
    """

    def __init__(
        self,
        path: str,
        board: Board,
        facts: Callable[[], dict[str, Any]],
        log: Logger,
        errands: Errands,
        inherited: Heirloom | None = None,
    ) -> None:
        self._path, self._board, self._facts, self._log = os.path.abspath(path), board, facts, log
        self._errands = errands
        self._owner = os.getpid()
        self._inherited = inherited
        self._callers: dict[int, Caller] = {}
        self._reloads: list[Caller] = []
        """Those that wait for a reload that has not begun."""
        self._reloading: list[Caller] = []
        self._upgrades: list[Caller] = []
        self.ignored: list[str] = []
        """Options that the reload under way finds changed and cannot bring into force."""
        self._pause = 0.0
        """Until when nobody is taken in."""
        if inherited and inherited.asked == self._path:
            self._socket, self.heirloom = socket.socket(fileno=inherited.descriptor), inherited
        else:
            self._socket, file = _listen(self._path)
            self.heirloom = Heirloom(self._socket.fileno(), self._path, file)
        self._open = self.heirloom is not inherited

    def close(self) -> None:
        """Remove the socket, unless it is another master's."""
        for caller in self._callers.values():
            caller.close()
        self._socket.close()
        if self._open and os.getpid() == self._owner:
            self.heirloom.remove()

    def descriptors(self) -> list[int]:
        return [self._socket.fileno(), *self._callers]

    def interests(self) -> Iterator[tuple[int, int]]:
        """What to poll for."""
        if self._open and time.monotonic() >= self._pause:
            yield self._socket.fileno(), select.POLLIN
        for fd, caller in self._callers.items():
            yield fd, caller.interest

    def serve(self, ready: set[int], state: Callable[[], events.State]) -> Iterator[events.Event]:
        """Do what is ready; what callers want of the master, as events."""
        if self._socket.fileno() in ready:
            self._accept()
        for fd, caller in list(self._callers.items()):
            if fd in ready:
                yield from self._attend(caller, state)
            waits = any(caller in waiting for waiting in (self._reloads, self._reloading, self._upgrades))
            if caller.over or (not waits and time.monotonic() > caller.deadline):
                self._drop(fd, caller)

    def _accept(self) -> None:
        """Take a caller in; when there are too many, instead of the one that has been here longest without a word."""
        try:
            sock, _ = self._socket.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError:  # no descriptor is left: who waits goes on waiting, and poll would tell of it for ever
            self._pause = time.monotonic() + PAUSE
            return
        with suppress(OSError):
            if len(self._callers) >= CALLERS:
                idle = [fd for fd, each in self._callers.items() if not each.asked]
                fd = idle[0] if idle else next(iter(self._callers))
                self._drop(fd, self._callers[fd])
            self._callers[sock.fileno()] = Caller(sock)

    def _drop(self, fd: int, caller: Caller) -> None:
        for waiting in (self._reloads, self._reloading, self._upgrades):
            if caller in waiting:
                waiting.remove(caller)
        del self._callers[fd]
        caller.close()

    def _attend(self, caller: Caller, state: Callable[[], events.State]) -> Iterator[events.Event]:
        if caller.interest == select.POLLOUT:
            caller.flush()
        elif caller.asked:  # it has hung up without waiting for its answer
            caller.over = True
        elif (line := caller.read()) is not None:
            try:
                yield from self._answer(caller, line, state)
            except Exception as error:  # noqa: BLE001 - whoever asks is answered, whatever their command meets
                refused = isinstance(error, Refused)
                caller.say({"ok": False, "error": str(error) if refused else f"cannot do that: {sentence(error)}"})

    def _answer(self, caller: Caller, line: bytes, state: Callable[[], events.State]) -> Iterator[events.Event]:
        request = _parse(line)
        match request.get("command"):
            case "status":
                caller.say({"ok": True, **views.status(state(), self._board), **self._facts()})
            case "workers":
                caller.say({"ok": True, "workers": views.workers(state(), self._board)})
            case "calls":
                caller.say({"ok": True, "calls": views.calls(state(), self._board)})
            case "stop":
                caller.say({"ok": True})
                yield events.StopAsked(graceful=True)
            case "scale":
                number = _number(request, "workers")
                yield events.ScaleAsked(target=number)
                caller.say({"ok": True, "workers": state().wanted})
            case "rest":
                yield events.RestAsked()
                caller.say({"ok": True, "workers": state().wanted})
            case "reload":
                if state().phase is events.Phase.STOPPING:
                    raise Refused("the service is stopping")
                self._reloads.append(caller)
                yield events.ReloadAsked()
            case "upgrade":
                phase = "upgrading" if state().upgrading else state().phase.value
                if phase != events.Phase.RUNNING.value:
                    raise Refused(f"the service is {phase}")
                self._upgrades.append(caller)
                yield events.UpgradeAsked()
            case "drain":
                pid = self._worker(request, state())
                caller.say({"ok": True})
                yield events.Spent(pid, "drain")
            case "stacks":
                pid = self._worker(request, state())
                os.kill(pid, TELL)
                caller.say({"ok": True, "where": f"the log: events stacks and stack of pid {pid}"})
            case "tap":
                wanted = _wanted(request)
                number = self._errands.listen({"errand": "tap", "wanted": wanted}, caller.given())
                if number < 0:
                    raise Refused(f"{LISTENERS} tools listen already")
                caller.say({"ok": True, "workers": number})
            case "profile":
                pid = self._worker(request, state())
                errand = {"errand": "profile", **_profile(request)}
                if not self._errands.send(pid, errand, caller.given()):
                    raise Refused(f"worker {pid} takes no more errands")
                caller.say({"ok": True, "pid": pid})
            case other:
                raise Refused(f"there is no command {other!r}")

    def _worker(self, request: dict[str, Any], state: events.State) -> int:
        pid = _number(request, "pid")
        worker = state.workers.get(pid)
        if worker is None or not worker.ready or worker.retiring:
            raise Refused(f"{pid} is not the pid of a worker that serves")
        return pid

    # Observing.

    def announce(self, news: events.News, text: str) -> None:
        if news is events.News.RELOADING:
            self._reloading, self._reloads = self._reloads, []
        elif news is events.News.RELOADED:
            self._tell({"ok": True, "result": text, "ignored": self.ignored})
        elif news is events.News.REJECTED:
            if not self._reloading:  # refused before it began
                self._reloading, self._reloads = self._reloads, []
            self._tell({"ok": False, "error": text})
        elif news is events.News.ROLLED_BACK:
            self._tell({"ok": False, "error": text})
        elif news is events.News.STOPPING:
            self._reloading += self._reloads + self._upgrades
            self._reloads, self._upgrades = [], []
            self._tell({"ok": False, "error": "the service is stopping"})
        elif news is events.News.UPGRADED:
            self._open = False
        elif news is events.News.FOLLOWED:
            self._tell_upgrades({"ok": True, "pid": int(text)})
        elif news is events.News.UPGRADE_FAILED:
            self._tell_upgrades({"ok": False, "error": text})
        elif news is events.News.SUCCEEDED:
            self._succeed()

    def _tell(self, answer: dict[str, Any]) -> None:
        callers, self._reloading = self._reloading, []
        for caller in callers:
            caller.say(answer)

    def _tell_upgrades(self, answer: dict[str, Any]) -> None:
        callers, self._upgrades = self._upgrades, []
        for caller in callers:
            caller.say(answer)

    def _succeed(self) -> None:
        if self._inherited is not None and self.heirloom is not self._inherited:
            os.close(self._inherited.descriptor)
            self._inherited.remove()
        self._socket.listen(BACKLOG)  # from now on callers are told this process's id
        self._open = True

    def tick(self, state: events.State, now: float) -> None:
        self._errands.look()


def _listen(path: str) -> tuple[socket.socket, tuple[str, int, int]]:
    try:
        sock, file = open_unix(path, 0o600)
        sock.listen(BACKLOG)
    except OSError as error:
        raise BindError(f"cannot open the control socket {path}: {error.strerror or error}") from None
    sock.setblocking(False)
    return sock, file


def _parse(line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        raise Refused("the request is not JSON") from None
    if not isinstance(request, dict):
        raise Refused("the request is not a JSON object")
    return request


def _wanted(request: dict[str, Any]) -> dict[str, Any]:
    try:
        Wanted.parse(request.get("wanted", {}))
    except ValueError as error:
        raise Refused(str(error)) from None
    return dict(request.get("wanted", {}))


def _profile(request: dict[str, Any]) -> dict[str, float]:
    """How long, and how often a second."""
    found = {}
    for name, most in (("seconds", 3600), ("rate", 1000)):
        number = request.get(name)
        if not isinstance(number, int | float) or isinstance(number, bool) or not 0 < number <= most:
            raise Refused(f"{name} must be a number above 0, and at most {most}")
        found[name] = float(number)
    return found


def _number(request: dict[str, Any], name: str) -> int:
    number = request.get(name)
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise Refused(f"{name} must be a whole number of 1 or more")
    return number
