"""Servers that end as machines do, and callers who never stop."""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from tests.harness import PATIENCE, Server

IDL = """
service Base { void ping() }
service Directory extends Base {
  string find(1: string login) (thriftserver.idempotent)
  string update(1: string login)
  string search(1: string text) (thriftserver.idempotent)
  string refuse() throws (1: Refused refused)
}
exception Refused { 1: string why }
service Accounts extends Base { string find(1: string login) }
"""

HANDLER = """
import os, pathlib, sys, time
import thriftserver

api = thriftserver.load(pathlib.Path(__file__).parent / "fleet.thrift")
NAME = pathlib.Path(__file__).parent.name


class Impl:
    def ping(self): pass
    def find(self, login): return NAME
    def update(self, login):
        if login == "die":
            with open("updates", "a") as file:
                file.write("x")
            os.killpg(0, 9)
        return NAME
    def search(self, text): return NAME
    def refuse(self): raise api.Refused(NAME)
"""


class Machine:
    """One server with a folder of its own; ``service`` is which of the IDL's it serves."""

    def __init__(self, folder: Path, service: str = "Directory", options: Sequence[str] = ()) -> None:
        folder.mkdir()
        (folder / "fleet.thrift").write_text(IDL)
        (folder / "fleet.py").write_text(HANDLER)
        self.folder = folder
        self.name = folder.name
        self._args = ["--idl", "fleet.thrift", "--handler", "fleet:Impl", "--service", service, *options]
        self.server = Server(*self._args, cwd=folder)
        self.port = self.server.port

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.signal(signal.SIGCONT)
        self.server.stop()

    def signal(self, number: signal.Signals) -> None:
        """To all of its processes at once."""
        if self.server.alive():
            os.killpg(self.server.process.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.server.exit_code()

    def start(self) -> None:
        """Another one at the same address."""
        self.server.stop()
        self.server = Server(*self._args, "--bind", f"127.0.0.1:{self.port}", cwd=self.folder)


class Callers:
    """Threads that make calls, each with the next one at once; ``answers`` counts who has answered."""

    def __init__(self, calls: Sequence[Callable[[], str]]) -> None:
        self.calls = list(calls)
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []
        self._made = [0] * len(self.calls)
        self._news = threading.Condition()
        self._stop = False
        self._threads = [
            threading.Thread(target=self._run, args=[each], daemon=True) for each in range(len(self.calls))
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop = True
        for thread in self._threads:
            thread.join(PATIENCE)
        assert not any(thread.is_alive() for thread in self._threads)

    def _run(self, number: int) -> None:
        while not self._stop:
            answer = failure = ""
            try:
                answer = self.calls[number]()
            except Exception as error:  # noqa: BLE001 - all of them are counted
                failure = repr(error)
            with self._news:
                self._made[number] += 1
                if failure:
                    self.failures.append(failure)
                else:
                    self.answers[answer] += 1
                self._news.notify_all()

    def until(self, happened: Callable[[], Any], what: str) -> None:
        with self._news:
            assert self._news.wait_for(happened, PATIENCE), f"no {what}: {self.answers}, {self.failures[:3]}"

    def round(self, calls: int = 2) -> None:
        """Wait until each of them has begun, and ended, a call after this moment."""
        with self._news:
            before = list(self._made)
        self.until(lambda: all(now >= then + calls for now, then in zip(self._made, before, strict=True)), "round")

    def spread(self, calls: int) -> dict[str, int]:
        """Who answers the next ones, so many."""
        with self._news:
            before = self.answers.copy()
        self.until(lambda: (self.answers - before).total() >= calls, f"{calls} answers")
        return dict(self.answers - before)
