"""What a master hands to a worker at its birth, and what the worker reports back: their contract.

Both rooms import this and neither imports the other. A report is a line of JSON, through a pipe of the worker's own.
What a worker does all the time (heartbeat, calls in flight, counters) stands in its slot of the scoreboard.

Signals to a worker: TERM: finish what runs, answer, close. USR2: retire, that is hand every live connection over and
leave. QUIT: leave now. USR1: reopen the log. WINCH: log the stacks of all fibers. ABRT: write the stacks to
``Assignment.stacks`` and die, which a worker does even while its loop is blocked.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import socket
import sys
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from thriftserver.config import Settings
from thriftserver.handoff import Handoff
from thriftserver.idl.loader import Loader
from thriftserver.schema.model import Module
from thriftserver.scoreboard.board import Board


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
        importlib.invalidate_caches()  # that there was nothing, once


class Program(Struct, frozen=True):
    """All that a generation of workers is made from: read, checked, and free of handler code."""

    settings: Settings
    loader: Loader
    modules: tuple[Module, ...]
    services: tuple[str, ...] = ()
    """The names of the services that are served."""
    ground: Ground = Ground()


class Assignment(Struct, frozen=True):
    """One worker's work.

    ``lifeline`` reads end-of-file when the master is gone; ``report`` writes to the master; ``stacks`` is a file that
    is written on ABRT (-1: none). The worker writes slot ``number`` of ``board``.
    """

    number: int
    generation: int
    program: Program
    listeners: Sequence[socket.socket]
    lifeline: int
    report: int
    board: Board
    handoff: Handoff
    stacks: int = -1


#: Kinds of reports: ready to serve; will leave with an exit code, and why; has served ``max_requests`` and wants a
#: successor (it serves on until it is told to retire); has read these files, one to a line of ``message``.
READY, FAILED, SPENT, IMPORTED = "ready", "failed", "spent", "imported"


class Report(Struct, frozen=True):
    """``code`` and ``message`` of FAILED are the exit code the worker is going to leave with, and why."""

    kind: str
    code: int = 0
    message: str = ""

    def send(self, descriptor: int) -> None:
        """Write to the master; nobody is left to tell when it is gone."""
        line = json.dumps({"kind": self.kind, "code": self.code, "message": self.message}) + "\n"
        with contextlib.suppress(OSError):
            os.write(descriptor, line.encode())

    @classmethod
    def parse(cls, line: bytes) -> Report:
        data: dict[str, Any] = json.loads(line)
        return cls(data["kind"], data["code"], data["message"])
