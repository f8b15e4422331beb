"""A service with secrets, and commands that listen to it, for the tests of ``tap``, ``capture`` and ``replay``."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import thriftserver
from tests.harness import PATIENCE, Server
from tests.support import ROOT

IDL = """
struct Item { 1: i64 id, 2: double price, 3: set<string> tags, 4: map<string, i32> stock }
struct Login { 1: string user, 2: string password (thriftserver.redact) }
exception Denied { 1: string why, 2: string hint (thriftserver.redact) }
service Shop {
  i32 add(1: i32 a, 2: i32 b)
  list<Item> items(1: i64 first, 2: i32 count) throws (1: Denied denied)
  string login(1: Login login) throws (1: Denied denied) (thriftserver.redact)
  string repeat(1: string text, 2: i32 times)
  double nap(1: double seconds)
  void fail()
  oneway void note(1: string text)
  map<string, string> headers()
}
"""
HANDLER = """
import time
import thriftserver

api = thriftserver.load("shop.thrift")


class Impl:
    def add(self, a, b):
        return a + b

    def items(self, first, count):
        if count > 10:
            raise api.Denied(f"not {count}", "hint-hint")
        return [api.Item(n, n / 4, {"a", "b", str(n)}, {"here": n, "there": 1}) for n in range(first, first + count)]

    def login(self, login):
        if not login.password.startswith("open"):
            raise api.Denied("no", login.password)
        return "token-" + login.password

    def repeat(self, text, times):
        return text * times

    def nap(self, seconds):
        time.sleep(seconds)
        return seconds

    def fail(self):
        raise ValueError("a fault")

    def note(self, text):
        pass

    def headers(self):
        return thriftserver.current_call().headers
"""
ARGS = ("--idl", "shop.thrift", "--handler", "shop:Impl", "--control", "control")


def write_shop(folder: Path, handler: str = HANDLER, idl: str = IDL) -> Path:
    """``shop.thrift`` and ``shop.py`` in ``folder``, which is returned."""
    (folder / "shop.thrift").write_text(idl)
    (folder / "shop.py").write_text(handler)
    return folder


def client(server: Server, **options: Any) -> Any:
    """Of the service, over whatever dialect."""
    api = thriftserver.load("shop.thrift", files={"shop.thrift": IDL})
    return api.Shop.Client(server.host, server.port, timeout=PATIENCE, **options)


def _as_from_a_terminal() -> None:
    """Whoever runs these tests may ignore SIGINT, as what a shell starts in the background does."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Ear:
    """``thriftserver tap`` or ``capture`` while it runs: ``lines`` of its output, ``notes`` on its stderr."""

    def __init__(self, folder: Path, *args: str, prefix: Sequence[str] = ()) -> None:
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "thriftserver", *args, "--control", "control"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=_as_from_a_terminal,
        )
        self.lines: list[str] = []
        self.notes: list[str] = []
        self._news = threading.Condition()
        streams = ((self.process.stdout, self.lines), (self.process.stderr, self.notes))
        self._readers = [threading.Thread(target=self._read, args=each, daemon=True) for each in streams]
        for each in self._readers:
            each.start()

    def _read(self, stream: Any, into: list[str]) -> None:
        for line in stream:
            with self._news:
                into.append(line.rstrip("\n"))
                self._news.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.ended()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def ended(self) -> int:
        """Wait for its end; the exit code."""
        code = self.process.wait(PATIENCE)
        for each in self._readers:
            each.join(PATIENCE)
        return code

    def until(self, lines: int = 0, workers: int = 0) -> None:
        """Wait for so many lines, and until it listens to so many workers."""
        with self._news:
            assert self._news.wait_for(
                lambda: len(self.lines) >= lines and len(self.listening()) >= workers, PATIENCE
            ), (self.lines, self.notes)

    def listening(self) -> list[int]:
        """The workers that it has listened to so far."""
        return [int(line.rpartition(" ")[2]) for line in self.notes if line.startswith("* listening to worker ")]

    def calls(self, count: int) -> list[Any]:
        """The first calls, of a tap that prints JSON."""
        self.until(count)
        return [json.loads(line) for line in self.lines[:count]]


def tap(folder: Path, *args: str, workers: int = 1) -> Ear:
    """A tap that prints JSON and listens to so many workers already."""
    ear = Ear(folder, "tap", "--json", *args)
    ear.until(workers=workers)
    return ear
