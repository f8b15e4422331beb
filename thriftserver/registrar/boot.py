"""The registrar from its fork to its exit code: watches whether the server is ready, and has registries know.

TERM: take the server out of all registries and end. QUIT: end at once, and leave the entries to the registrar of the
master that takes over. Without a master it does as with TERM, unless there is another master to take over.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

import msgspec
from msgspec import Struct

from thriftserver import log
from thriftserver.config import Settings
from thriftserver.discovery.records import Record
from thriftserver.discovery.registries import read_url, registry_of
from thriftserver.log import Logger
from thriftserver.registrar.enrolment import Enrolment, is_local
from thriftserver.scoreboard import layout
from thriftserver.scoreboard.board import Board
from thriftserver.scoreboard.records import STUCK_AFTER, needed

#: Seconds between two looks at whether the server is ready, and that it may be not while a worker is replaced.
LOOK, GRACE = 0.25, 2.0
#: Seconds that registries have to take the server out, and then to tell clients, before its workers are told to leave.
FAREWELL, SPREAD = 2.0, 0.5
#: What may be imported once root has been given up.
LATER = ("encodings.idna",)

_HEARD = (signal.SIGTERM, signal.SIGUSR1)


class Wanted(Struct, frozen=True):
    """What registries are to know, and which; sent by the master, at first and after reloads."""

    registries: tuple[str, ...]
    host: str
    port: int
    weight: int
    version: str

    @property
    def record(self) -> Record:
        return Record(self.host, self.port, self.weight, self.version)


class Told(Struct, frozen=True):
    """What has become of it in one registry; sent to the master."""

    registry: str
    registered: bool
    problem: str


class Given(Struct, frozen=True):
    """What the process is given. ``lifeline`` reads end-of-file when the master is gone."""

    board: Board
    settings: Settings
    wanted: Wanted
    line: socket.socket
    lifeline: int


def run(given: Given, become: Callable[[Iterable[str]], None]) -> int:
    """Register until told to leave; the exit code. Runs in a child process and never raises.

    ``become`` imports the modules that it is given and gives up root.
    """
    logger = Logger().bind(role="registrar", pid=os.getpid())
    try:
        log.write_behind()
        for text in given.wanted.registries:
            registry_of(read_url(text))
        become(LATER)
        Registrar(given, logger).run()
    except BaseException as error:
        logger.exception("registrar_failed", error)
        return 1
    finally:
        log.flush()
    return 0


class Registrar:
    """All registries of one server."""

    def __init__(self, given: Given, logger: Logger) -> None:
        self._given = given
        self._words = given.board.words
        self._log = logger
        self._wanted = given.wanted
        self._enrolments: dict[str, Enrolment] = {}
        self._leaving: list[Enrolment] = []
        self._ready_at = float("-inf")
        self._counting = threading.Lock()

    def run(self) -> None:
        told, waking = _listen()
        given = self._given
        poll = select.poll()
        for fd in (waking, given.line.fileno(), given.lifeline):
            poll.register(fd, select.POLLIN)
        self._begin()
        while signal.SIGTERM not in told:
            self._see()
            ready = {fd for fd, _ in poll.poll(LOOK * 1000)}
            if waking in ready:
                told.update(os.read(waking, 4096))
            if signal.SIGUSR1 in told:
                told.remove(signal.SIGUSR1)
                log.reopen()
            if given.lifeline in ready:  # then the line is broken, too
                if given.board.other:  # its registrar is about to enter the same
                    return
                break
            if given.line.fileno() in ready:
                self._hear()
        self._end()

    def _hear(self) -> None:
        """What the master has to say."""
        data = b""
        with suppress(OSError):  # it is gone, as the lifeline is about to tell
            data = self._given.line.recv(1 << 20)
        if data:
            self._wanted = msgspec.json.decode(data, type=Wanted)
            self._begin()

    def _begin(self) -> None:
        """Have a thread for each registry that is wanted, and none for others."""
        for text in self._enrolments.keys() - set(self._wanted.registries):
            enrolment = self._enrolments.pop(text)
            enrolment.leave()
            self._leaving.append(enrolment)
        for text in self._wanted.registries:
            if text not in self._enrolments:
                where = read_url(text)
                if is_local(self._wanted.host) and not is_local(where.hosts[0].host):
                    advice = "clients on other machines cannot connect there; --register-address says where they can"
                    self._log.warning("registered_address_local", address=self._wanted.host, advice=advice)
                self._enrolments[text] = Enrolment(where, self._given.settings.register_ttl, self._log, self._changed)
        self._changed("")

    def _see(self) -> None:
        """Enter the server everywhere if it is ready, take it out if it is not."""
        now = time.monotonic()
        wanted = self._given.board.wanted
        if not wanted:  # the service rests
            self._ready_at = float("-inf")
        elif serving(self._given.board) >= needed(wanted):
            self._ready_at = now
        ready = now < self._ready_at + GRACE
        for enrolment in self._enrolments.values():
            enrolment.want(self._wanted.record if ready else None)

    def _end(self) -> None:
        everybody = [*self._enrolments.values(), *self._leaving]
        spread = any(enrolment.state.registered for enrolment in everybody)
        for enrolment in everybody:
            enrolment.leave()
        end = time.monotonic() + FAREWELL
        for enrolment in everybody:
            if not enrolment.has_left(max(end - time.monotonic(), 0)):
                advice = "the registry keeps this server until its time is over"
                where, problem = enrolment.where.text, enrolment.state.problem or "no answer in time"
                self._log.error("deregister_failed", registry=where, reason=problem, advice=advice)
        if spread:
            time.sleep(SPREAD)

    def _changed(self, what: str) -> None:
        """Something has become of an enrolment; called from its thread."""
        with self._counting:
            found = [(each.where.text, each.state) for each in list(self._enrolments.values())]
            words = self._words
            words[layout.BOARD_REGISTRIES] = len(found)
            words[layout.BOARD_REGISTERED] = sum(state.registered for _, state in found)
            words[layout.BOARD_REGISTRATIONS] += what == "registered"
            words[layout.BOARD_REGISTRY_LOSSES] += what == "lost"
            told = [Told(text, state.registered, state.problem) for text, state in found]
            with suppress(OSError):  # the master is gone, or has not read for long: it hears of the next one
                self._given.line.send(msgspec.json.encode(told), socket.MSG_DONTWAIT)


def serving(board: Board) -> int:
    """Workers that serve, and have given a sign of life."""
    now = time.monotonic_ns()
    slots: Sequence[Any] = [board.slot_words(number) for number in range(1, board.capacity + 1)]
    return sum(
        each[layout.STATE] == layout.SERVING and now - each[layout.HEARTBEAT] < STUCK_AFTER * 1e9 for each in slots
    )


def _listen() -> tuple[set[int], int]:
    """The signals that were heard, and a descriptor that tells of more."""
    waking, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in _HEARD:
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGQUIT, _quit)
    return set(), waking


def _quit(*_: object) -> None:
    log.flush()
    os._exit(0)
