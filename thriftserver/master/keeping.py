"""The keeper of TLS connections as its master sees it: what it is given, what a reload brings, and its end.

It is watched over as workers are, and with ``--cert-watch`` so are the files of certificates.

The master never has a key in its memory, of which each worker is a copy: a child reads and checks the files, and what
it has found is passed on in a file without a name that the master does not look into.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Sequence
from functools import partial

from thriftserver.assignment import Program
from thriftserver.config import Settings
from thriftserver.errors import ConfigError
from thriftserver.log import Logger
from thriftserver.master import identity
from thriftserver.master.auxiliary import GRACE, Auxiliary, Equipment, ended
from thriftserver.master.events import Phase, State
from thriftserver.master.fork import fork
from thriftserver.master.freshness import Freshness, stamps
from thriftserver.scoreboard import layout
from thriftserver.scoreboard.board import Board

#: Seconds that certificates and keys may take to be read: they may lie on a disk that is far away.
READING = 10.0
#: Seconds between two ticks from which on the master itself was stopped, and its children maybe with it.
SLEPT = 3.0


def gather(settings: Settings) -> int:
    """A file with the terms of TLS, checked, as ``tls.terms`` writes them. Raises ConfigError with what is wrong."""
    found = os.memfd_create("thriftserver-terms", os.MFD_CLOEXEC)
    try:
        try:
            pid = fork(lambda: _read(settings, found), ())
        except OSError as error:
            raise ConfigError(f"--certfile: cannot start a process that reads it: {error.strerror}") from None
        status = ended(pid, READING)
        if status is None:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise ConfigError(f"--certfile, --keyfile, --ca-certs: they could not be read within {READING:.0f} s")
        if status:
            said = os.pread(found, os.fstat(found).st_size, 0).decode("utf-8", "replace")
            raise ConfigError(said or f"--certfile: the process that read it ended with wait status {status}")
    except BaseException:
        os.close(found)
        raise
    return found


def _read(settings: Settings, found: int) -> int:
    """In a child: nothing of what is read here is in any other process."""
    from thriftserver.tls import contexts, terms

    try:
        read = terms.read(settings)
        contexts.Contexts(read)
        data, code = read.encode(), 0
    except ConfigError as error:
        data, code = str(error).encode("utf-8", "backslashreplace"), error.exit_code
    with open(found, "wb", closefd=False) as file:
        file.write(data)
    return code


class Keeper(Auxiliary):
    """``listeners`` are the sockets that speak TLS; ``others``, those that it must not keep open. Raises ConfigError.

    It outlives reloads, which bring it other terms, and its master: told to leave, it stays with the connections that
    it has.
    """

    def __init__(self, settings: Settings, listeners: Sequence[socket.socket], others: Sequence[socket.socket]) -> None:
        super().__init__("keeper", None, self._live)
        self._listeners, self._others = listeners, others
        self._settings = settings
        self._freshness = Freshness(stamps(settings))
        self._terms = gather(settings)
        #: What a reload under way brings; -1: nothing.
        self._next = -1
        self._next_settings, self._next_stamps = settings, self._freshness.known
        self._ticked = 0.0
        #: The process that was killed because it hung.
        self._hung = 0
        self._line, self._its_line = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._board: Board | None = None

    def _live(self, given: Equipment) -> int:
        from thriftserver.tls import boot

        settings = given.program.settings
        identity.entitle(settings.name, "keeper")
        for sock in (*self._others, self._line):
            sock.close()
        words, line = given.board.words, self._its_line
        its = boot.Given(self._listeners, given.handoff, words, given.lifeline, self._terms, line)
        return boot.run(its, partial(identity.become, settings))

    def start(self, given: Equipment, private: Sequence[int], log: Logger, now: float) -> None:
        self._board = given.board
        own = self.descriptors()
        super().start(given, [each for each in private if each not in own], log, now)

    def gone(self, status: int, log: Logger, now: float) -> None:
        words = self._board.words if self._board else None
        if words is not None:
            log = log.bind(connections=words[layout.BOARD_TLS_CONNECTIONS])
            words[layout.BOARD_TLS_CONNECTIONS] = words[layout.BOARD_TLS_HANDSHAKES] = 0
        super().gone(status, log, now)

    def descriptors(self) -> list[int]:
        sockets = (*self._listeners, self._line, self._its_line)
        return [self._terms, *([self._next] if self._next >= 0 else []), *(sock.fileno() for sock in sockets)]

    def prepare(self, program: Program) -> None:
        if not program.settings.certfile:
            return  # to end TLS takes a restart
        known = stamps(program.settings)
        found = gather(program.settings)
        if self._next >= 0:
            os.close(self._next)
        self._next, self._next_settings, self._next_stamps = found, program.settings, known

    def renew(self) -> None:
        """What was prepared is in force: for the process that runs, and for each one after it."""
        if self._next < 0:
            return
        self._settings = self._next_settings
        self._freshness.renew(self._next_stamps)
        self._replace(self._next)
        self._next = -1

    def _replace(self, terms: int) -> None:
        os.close(self._terms)
        self._terms = terms
        if self.pid:
            socket.send_fds(self._line, [b"1"], [self._terms])

    def tick(self, state: State, log: Logger, now: float) -> None:
        slept = now > self._ticked + SLEPT
        self._ticked = now
        if self.pid and not slept:
            self._require_alive(log, now)
        if self._settings.cert_watch and state.phase is Phase.RUNNING and not state.upgrading:
            self._look_at_files(log, now)

    def _require_alive(self, log: Logger, now: float) -> None:
        """One that is hung is killed, as a worker is, and its end brings another."""
        limit, words = self._settings.timeout, self._board.words if self._board else None
        if not limit or words is None or self.pid == self._hung:
            return
        silence = now - max(words[layout.BOARD_TLS_HEARTBEAT] / 1e9, self._born)
        if silence > limit:
            self._hung = self.pid
            log.error("auxiliary_hung", auxiliary=self.name, keeper=self.pid, silence_s=round(silence, 1))
            os.kill(self.pid, signal.SIGKILL)

    def _look_at_files(self, log: Logger, now: float) -> None:
        files = self._freshness.look(now, self._settings)
        if not files:
            return
        try:
            found = gather(self._settings)
        except ConfigError as error:
            if self._freshness.failed(now):
                log.error("reload_rejected", reason=str(error), files=files)
            return
        self._freshness.took()
        log.info("certificates_changed", files=files)
        self._replace(found)

    def leave(self) -> None:
        """It stays with its connections, and is nobody's child any more when they end."""
        if self.pid:
            os.kill(self.pid, signal.SIGTERM)
            self.pid = 0

    def stopping(self) -> None:
        """Whoever connects from now on waits for the next master, or for the end of the listeners."""
        if self.pid:
            self._renewing = True
            os.kill(self.pid, signal.SIGTERM)

    def stop(self, patience: float, wake: int) -> None:
        """Its connections have ended with their workers; what these have said last is on its way to clients."""
        self._end(max(patience, GRACE), wake)
