"""A board that the test itself writes, and a real admin process that reads it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness import PATIENCE
from tests.support import ROOT
from thriftserver.scoreboard import layout
from thriftserver.scoreboard.board import Board
from thriftserver.scoreboard.slot import Slot

CALCULATOR = ROOT / "idl" / "calculator.thrift"
#: What a worker that serves the calculator names its methods.
METHODS = [
    ("Calculator", "add", []),
    ("Calculator", "subtract", []),
    ("Calculator", "multiply", []),
    ("Calculator", "divide", ["DivisionByZero"]),
    ("Calculator", "calculate", ["DivisionByZero", "InvalidOperation"]),
    ("Calculator", "note", []),
]
ADD, DIVIDE, CALCULATE = 0, 3, 4
PEER = b"127.0.0.1:4711".ljust(layout.PEER_BYTES, b"\0")
MS = 1_000_000
#: A heartbeat so far ahead that no slow machine makes it old.
FRESH = 3_600_000 * MS


class Admin:
    """A running admin process; ``listener`` and ``memory`` stay open here when they are given, as a master's do."""

    def __init__(
        self,
        board: Board,
        addresses: list[str],
        settings: dict[str, Any],
        listener: socket.socket | None = None,
        memory: int | None = None,
    ) -> None:
        ours = listener is None
        listener = listener or socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._alive_read, self._alive_write = os.pipe()
        own_memory = os.memfd_create("history") if memory is None else -1
        memory = own_memory if memory is None else memory
        descriptors = (board.descriptor, listener.fileno(), self._alive_read, memory)
        asked = {
            "board": board.descriptor,
            "listener": listener.fileno(),
            "lifeline": self._alive_read,
            "memory": memory,
            "addresses": addresses,
            "settings": {"idl": [str(CALCULATOR)], "handler": ["handlers.calculator:Calculator"], **settings},
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.admin.serve", json.dumps(asked)],
            cwd=ROOT,
            pass_fds=descriptors,
            stderr=subprocess.PIPE,
            text=True,
        )
        if ours:
            listener.close()
        os.close(self._alive_read)
        if own_memory >= 0:
            os.close(own_memory)

    def request(
        self, path: str, method: str = "GET", body: bytes | None = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(self.url + path, body, names, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()

    def json(self, path: str) -> Any:
        return json.loads(self.request(path)[2])

    def let_go(self) -> None:
        """What the end of the master looks like."""
        if self._alive_write >= 0:
            os.close(self._alive_write)
            self._alive_write = -1

    def stop(self) -> tuple[int, str]:
        """TERM; the exit code and the log."""
        self.process.send_signal(signal.SIGTERM)
        return self.end()

    def end(self) -> tuple[int, str]:
        try:
            _, text = self.process.communicate(timeout=PATIENCE)
        finally:
            self.process.kill()
            self.let_go()
        return self.process.returncode, text


class Script:
    """Two workers of the calculator; worker 2 belongs to the second generation."""

    def __init__(self) -> None:
        self.board = Board.create(4, 32)
        self.board.wanted = 2
        self.pens = {number: self.pen(number, generation) for number, generation in ((1, 1), (2, 2))}

    def pen(self, number: int, generation: int, methods: list[Any] = METHODS) -> Slot:
        pen = Slot(self.board.slot_words(number), self.board.plan)
        pen.open(1000 + number, generation, methods, time.monotonic_ns())
        pen.put(layout.STATE, layout.SERVING)
        pen.put(layout.HEARTBEAT, time.monotonic_ns() + FRESH)
        return pen

    def beat(self, *numbers: int) -> None:
        for number in numbers or self.pens:
            self.pens[number].put(layout.HEARTBEAT, time.monotonic_ns() + FRESH)

    def silence(self, number: int, seconds: float) -> None:
        self.pens[number].put(layout.HEARTBEAT, time.monotonic_ns() - int(seconds * 1e9))


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
def admin(script: Script) -> Iterator[Admin]:
    made = Admin(script.board, ["127.0.0.1:1"], {})
    try:
        yield made
    finally:
        if made.process.poll() is None:
            made.stop()
