"""What a master hands to a worker at its birth, and what the worker reports back: their contract.

Both rooms import this and neither imports the other. A report is a line of JSON, through a pipe of the worker's own.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from thriftserver.config import Settings
from thriftserver.idl.loader import Loader
from thriftserver.schema.model import Module


@dataclass(frozen=True, slots=True)
class Program:
    """All that a generation of workers is made from: read, checked, and free of handler code."""

    settings: Settings
    loader: Loader
    modules: tuple[Module, ...]


@dataclass(frozen=True, slots=True)
class Assignment:
    """One worker's work. ``lifeline`` reads end-of-file when the master is gone; ``report`` writes to the master."""

    number: int
    generation: int
    program: Program
    listeners: Sequence[socket.socket]
    lifeline: int
    report: int


@dataclass(frozen=True, slots=True)
class Report:
    """``code`` None: ready to serve. Otherwise the exit code the worker is going to leave with, and why."""

    code: int | None = None
    message: str = ""

    def send(self, descriptor: int) -> None:
        """Write to the master; nobody is left to tell when it is gone."""
        line = json.dumps({"code": self.code, "message": self.message}) + "\n"
        with contextlib.suppress(OSError):
            os.write(descriptor, line.encode())

    @classmethod
    def parse(cls, line: bytes) -> Report:
        data: dict[str, Any] = json.loads(line)
        return cls(data["code"], data["message"])
