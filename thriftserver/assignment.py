"""What a master hands to a worker at its birth, and what the worker reports back: their contract.

Both rooms import this and neither imports the other. A report is a line of JSON, through a pipe of the worker's own.
Whatever code runs in the worker can write there too, so the master believes none of it unread.
What a worker does all the time (heartbeat, calls in flight, counters) stands in its slot of the scoreboard.

Signals to a worker: TERM: finish what runs, answer, close. USR2: retire, that is hand every live connection over and
leave. QUIT: leave now. USR1: reopen the log. TELL: log the stacks of all fibers. ABRT: write the stacks to
``Assignment.stacks`` and die, which a worker does even while its loop is blocked.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from thriftserver.config import Settings
from thriftserver.handoff import Handoff
from thriftserver.idl.loader import Loader
from thriftserver.schema.model import Module, Service
from thriftserver.scoreboard.board import Board

#: One that neither a terminal nor the kernel sends to a group of processes, as they do WINCH.
TELL = signal.SIGRTMIN + 1
#: Bytes of ``Assignment.stacks``.
STACKS = 32_768
#: Bytes of a message that sends a worker on an errand.
ERRAND = 65_536


class Ground(Struct, frozen=True):
    """Where a generation works and imports from: the real names of what ``--chdir`` and the like led to."""

    folder: str = ""
    path: tuple[str, ...] = ()

    def take(self) -> None:
        """Stand on it. A directory that was removed since is missed by whoever needs something of it."""
        if self.folder:
            with contextlib.suppress(OSError):
                os.chdir(self.folder)
        sys.path[:] = self.path
        sys.path_importer_cache.clear()  # what there was, or was not, under these names once


class Program(Struct, frozen=True):
    """All that a generation of workers is made from: read, checked, and free of handler code."""

    settings: Settings
    loader: Loader
    modules: tuple[Module, ...]
    services: tuple[str, ...] = ()
    """The names of the services that are served."""
    ground: Ground = Ground()
    handlers: Callable[[Service], Any] | None = None
    """Makes the handler of a service, where the settings name none to import."""


class Assignment(Struct, frozen=True):
    """One worker's work.

    ``lifeline`` reads end-of-file when the master is gone; ``report`` writes to the master; ``stacks`` is a file that
    is written on ABRT (-1: none), ``errands`` a socket on which the worker is asked to do something besides serving
    (``worker.errands``; -1: none). The worker writes slot ``number`` of ``board``. Where it is tried beside the workers
    of an older master, ``beside`` is theirs, on which it is a guest: they share the connections.
    """

    number: int
    generation: int
    program: Program
    listeners: Sequence[socket.socket]
    lifeline: int
    report: int
    board: Board
    handoff: Handoff
    beside: Board | None = None
    stacks: int = -1
    errands: int = -1


#: Kinds of reports: ready to serve; will leave with an exit code, and why; has served ``max_requests`` and wants a
#: successor (it serves on until it is told to retire); has read these files, one to a line of ``message``.
READY: Final = "ready"
FAILED: Final = "failed"
SPENT: Final = "spent"
IMPORTED: Final = "imported"


#: Bytes of a report, its newline among them. A message that would make it longer is cut.
REPORT = 262_144


class Report(Struct, frozen=True):
    """``code`` and ``message`` of FAILED are the exit code the worker is going to leave with, and why."""

    kind: Literal["ready", "failed", "spent", "imported"]
    code: int = 0
    message: str = ""

    def send(self, descriptor: int) -> None:
        """Write to the master; nobody is left to tell when it is gone."""
        # Half a surrogate pair, as in a file's name that is no UTF-8, is no text to who reads this. JSON may make six
        # bytes of a character.
        message = self.message.encode("utf-8", "backslashreplace").decode()[: REPORT // 6 - 64]
        line = msgspec.json.encode(Report(self.kind, self.code, message)) + b"\n"
        with contextlib.suppress(OSError):
            while line:
                line = line[os.write(descriptor, line) :]

    @classmethod
    def parse(cls, line: bytes) -> Report:
        """Raises ValueError for what no worker of ours would say: anybody in its process can write there."""
        try:
            return msgspec.json.decode(line, type=Report)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise ValueError(f"no report: {error}") from None
