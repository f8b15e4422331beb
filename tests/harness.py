"""A real ``thriftserver run`` for tests: started on port 0, watched through its log, ended by pid.

Waiting is always for an event in the log or for the end of the process; time limits here only keep a broken test from
hanging for ever.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, Self

from tests.support import ROOT

#: Seconds after which a wait is given up: generous, because machines are slow and shared.
PATIENCE = 60.0


def run(cwd: Path, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
    """A ``thriftserver`` command that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "thriftserver", *args],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


class Listening(Protocol):
    """Where a server listens, whoever has started it."""

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int: ...


class Server:
    """``with Server("--idl", ..., "--handler", ...) as server: connect(server.host, server.port)``.

    ``events`` holds every log line so far; ``wait`` blocks until one of that name and those facts has come.
    """

    def __init__(
        self,
        *args: str,
        cwd: Path = ROOT,
        env: dict[str, str] | None = None,
        python: str = sys.executable,
        ready: bool = True,
        prefix: Sequence[str] = (),
        pass_fds: Sequence[int] = (),
    ) -> None:
        bind = [] if pass_fds or any(arg.startswith(("-b", "--bind")) for arg in args) else ["--bind", "127.0.0.1:0"]
        self.events: list[dict[str, Any]] = []
        self.other: list[str] = []
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            [*prefix, python, "-m", "thriftserver", "run", *args, *bind],
            cwd=cwd,
            env=os.environ | ({"PYTHONPATH": str(ROOT)} if python == sys.executable else {}) | (env or {}),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=pass_fds,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if ready:
            try:
                self.wait("ready")
            except BaseException:
                self.process.kill()
                self.process.wait()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._news:
                try:
                    self.events.append(json.loads(line))
                except ValueError:
                    self.other.append(line)
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def addresses(self) -> list[str]:
        addresses: list[str] = self.wait("listening")["addresses"]
        return addresses

    @property
    def host(self) -> str:
        return self.addresses[0].rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.addresses[0].rpartition(":")[2])

    def found(self, event: str, **facts: object) -> list[dict[str, Any]]:
        """The lines so far with this event and these facts."""
        return [each for each in list(self.events) if each["event"] == event and facts.items() <= each.items()]

    def wait(self, event: str, count: int = 1, **facts: object) -> dict[str, Any]:
        """The ``count``-th line with this event and these facts, as soon as it is there."""
        self.until(lambda: len(self.found(event, **facts)) >= count, f"{count} x {event} {facts}")
        return self.found(event, **facts)[count - 1]

    def until(self, happened: Callable[[], bool], what: str) -> None:
        """Wait until the log makes ``happened`` true; fails when the server ends without it."""
        with self._news:
            self._news.wait_for(lambda: happened() or not self._reader.is_alive(), PATIENCE)
            if not happened():
                raise AssertionError(f"no {what}; exit {self.process.poll()}; {self.other}; {self.events[-20:]}")

    def eventually(self, happened: Callable[[], bool], what: str) -> None:
        """Wait for something that no line of the log tells."""
        end = time.monotonic() + PATIENCE
        while not happened():
            assert self.process.poll() is None, f"no {what}: the server has ended"
            assert time.monotonic() < end, f"no {what}"
            time.sleep(0.01)

    def workers(self) -> list[int]:
        """Pids of the children that live now."""
        path = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def exit_code(self) -> int:
        """Wait for the end; the exit code."""
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        return code

    def stop(self) -> int:
        """TERM, then wait."""
        if self.process.poll() is None:
            self.signal(signal.SIGTERM)
        try:
            return self.exit_code()
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            if self.process.stderr is not None:
                self.process.stderr.close()
