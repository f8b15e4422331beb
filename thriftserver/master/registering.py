"""The registrar as its master sees it: what it is told, what it tells, and that a stop waits a moment for its farewell.

The master speaks to no registry and imports no library for one: the process beside it does.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec

from thriftserver.assignment import Program
from thriftserver.config import Settings
from thriftserver.discovery.addresses import read_address
from thriftserver.discovery.registries import read_url, shown
from thriftserver.errors import ConfigError
from thriftserver.log import Logger
from thriftserver.master import identity
from thriftserver.master.auxiliary import Auxiliary, Equipment
from thriftserver.master.events import State
from thriftserver.master.sockets import Listeners
from thriftserver.registrar.boot import Given, Told, Wanted, run
from thriftserver.scoreboard import layout

_WILDCARDS = ("0.0.0.0", "::")
#: Seconds that it has for its end in a hurry, before it is killed.
LAST = 3.0


def require(settings: Settings) -> None:
    """Raise ConfigError if what is to be registered, or where, makes no sense."""
    for text in settings.register:
        try:
            read_url(text)
        except ValueError as error:
            raise ConfigError(f"--register: {error}") from None
    if settings.register_address:
        try:
            unix = read_address(settings.register_address).is_unix
        except ValueError as error:
            raise ConfigError(f"--register-address: {error}") from None
        if unix:
            raise ConfigError("--register-address: clients reach a server over TCP; write HOST or HOST:PORT")
    if settings.register_ttl < 1:
        raise ConfigError("--register-ttl: registries count in seconds; 1s is the least")


class Registrar(Auxiliary):
    """It runs while there is a registry to tell, from READY on. Raises ConfigError if there is no address to tell.

    Reloads tell it what has changed. Who stops the service waits for its end before workers are told to leave.
    """

    waited_for = True

    def __init__(self, settings: Settings, served: Listeners) -> None:
        super().__init__("registrar", None, self._live)
        self.due = float("inf")
        self._served = served
        self._wanted = self._next = wanted(settings, served)
        self._line, self._its_line = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.setblocking(False)
        self._told: list[Told] = []
        self._words: memoryview | None = None

    def _live(self, given: Equipment) -> int:
        settings = given.program.settings
        identity.entitle(settings.name, "registrar")
        for sock in (*self._served.sockets, self._line):
            with suppress(OSError):  # those that only the keeper has are closed
                sock.close()
        its = Given(given.board, settings, self._wanted, self._its_line, given.lifeline)
        return run(its, partial(identity.become, settings))

    def ready(self) -> None:
        if self._wanted.registries and not self.pid:
            self.due = 0.0

    def start(self, given: Equipment, private: Sequence[int], log: Logger, now: float) -> None:
        self._words = given.board.words
        if not self._wanted.registries:
            self.due = float("inf")
        own = self.descriptors()
        super().start(given, [each for each in private if each not in own], log, now)

    def gone(self, status: int, log: Logger, now: float) -> None:
        super().gone(status, log, now)
        self._told = []
        if self._words is not None:
            self._words[layout.BOARD_REGISTERED] = 0
        with suppress(OSError):  # what it was told and has not read: the next one is born with it
            while self._its_line.recv(1 << 20, socket.MSG_DONTWAIT):
                pass

    def descriptors(self) -> list[int]:
        return [self._line.fileno(), self._its_line.fileno()]

    def prepare(self, program: Program) -> None:
        self._next = wanted(program.settings, self._served)

    def renew(self) -> None:
        """What was prepared is in force: for the process that runs, and for each one after it."""
        if self._next == self._wanted:
            return
        self._wanted = self._next
        if self.pid:
            with suppress(OSError):  # it is about to end, and to be replaced
                self._line.send(msgspec.json.encode(self._wanted))
        else:
            self.ready()

    def leave(self) -> None:
        """What it has entered stays there, and is the next registrar's."""
        if self.pid:
            os.kill(self.pid, signal.SIGQUIT)
            self.pid = 0

    def stopping(self) -> None:
        if self.pid:
            self._renewing = True
            os.kill(self.pid, signal.SIGTERM)

    def stop(self, patience: float, wake: int) -> None:
        self._end(LAST, -1)

    def tick(self, state: State, log: Logger, now: float) -> None:
        self._hear()

    def facts(self) -> dict[str, Any]:
        self._hear()
        if not self._wanted.registries:
            return {}
        known = {each.registry: each for each in self._told}
        names = map(shown, self._wanted.registries)
        found = [known.get(name) or Told(name, False, "not ready yet") for name in names]
        return {"registries": [msgspec.structs.asdict(each) for each in found]}

    def _hear(self) -> None:
        """The newest of what it has told; others are forgotten, so that it can always tell."""
        with suppress(OSError, msgspec.MsgspecError):
            while data := self._line.recv(1 << 20):
                self._told = msgspec.json.decode(data, type=list[Told])


def wanted(settings: Settings, served: Listeners) -> Wanted:
    """What registries are to know: the first TCP address that is listened on, unless another one is configured."""
    host, port = "", 0
    for sock in (*served.secured, *served.plain):
        if sock.family != socket.AF_UNIX:
            host, port = sock.getsockname()[:2]
            break
    if settings.register_address:
        host, port, *_ = read_address(settings.register_address, port or None)
    if settings.register and not port:
        advice = "--register needs a TCP address that clients can connect to; give --bind HOST:PORT, --register-address"
        raise ConfigError(advice)
    host = "" if host in _WILDCARDS else host
    return Wanted(settings.register, host, port, settings.register_weight, settings.register_version)
