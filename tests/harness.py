"""A real ``thriftserver run`` for tests: started on port 0, watched through its log, ended by pid.

Waiting is always for an event in the log or for the end of the process; time limits here only keep a broken test from
hanging for ever.
"""

from __future__ import annotations

import json
import os
import select
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
        bind: bool = True,
        command: str = "run",
        unread: str = "",
    ) -> None:
        chosen = (
            []
            if pass_fds or not bind or any(arg.startswith(("-b", "--bind")) for arg in args)
            else ["--bind", "127.0.0.1:0"]
        )
        self._heir = self._stopped = 0
        self._watch = -1
        #: An event that is not kept: to read 10,000 a second takes longer than that, and the server loses lines.
        self._unread = f'"event":"{unread}"' if unread else ""
        self.events: list[dict[str, Any]] = []
        self._named: dict[str, list[dict[str, Any]]] = {}  # the same by name: a storm's log has 100,000 lines
        self.other: list[str] = []
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            [*prefix, python, "-m", "thriftserver", command, *args, *chosen],
            cwd=cwd,
            env=os.environ | ({"PYTHONPATH": str(ROOT)} if python == sys.executable else {}) | (env or {}),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=pass_fds,
            start_new_session=True,  # without the terminal that the tests may be run on
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

    def __exit__(self, failed: object, *_: object) -> None:
        try:
            self.stop()
        finally:
            if failed:
                print(*self.other[-20:], *self.events[-10:], sep="\n")  # pytest shows it

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            if self._unread and self._unread in line:
                continue
            with self._news:
                try:
                    event = json.loads(line)
                except ValueError:
                    self.other.append(line)
                else:
                    self.events.append(event)
                    self._named.setdefault(event["event"], []).append(event)
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    @property
    def pid(self) -> int:
        """The master in force."""
        return self._heir or self.process.pid

    def upgrade(self, may_fail: bool = False) -> int:
        """Have a new master take over and wait until the old one has gone, well; the pid of the master from then on."""
        old = self.pid
        before = len(self.found("upgraded", pid=old))  # of another one: pids come again
        failed = len(self.found("upgrade_failed"))
        self.signal(signal.SIGUSR2)
        self.until(
            lambda: (
                len(self.found("upgraded", pid=old)) > before
                or (may_fail and len(self.found("upgrade_failed")) > failed)
            ),
            "upgrade",
        )
        for told in self.found("upgraded", pid=old)[before:]:
            self.follow(told["successor"])
        return self.pid

    def follow(self, heir: int, code: int = 0) -> None:
        """From now on, once the old one has ended with ``code``, the master is another process and not our child."""
        watch = os.pidfd_open(heir)
        before = len(self.found("stopped", pid=heir))
        self._ends()
        if self._watch < 0:
            assert self.process.returncode == code, self.events[-20:]
        else:
            os.close(self._watch)
            self.wait("stopped", self._stopped + 1, pid=self._heir)
        self._watch, self._heir, self._stopped = watch, heir, before

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
        return [each for each in list(self._named.get(event, ())) if facts.items() <= each.items()]

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
            assert self.alive(), f"no {what}: the server has ended"
            assert time.monotonic() < end, f"no {what}"
            time.sleep(0.01)

    def workers(self) -> list[int]:
        """Pids of the children that live now."""
        path = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(pid) for pid in path.read_text().split()]

    def running(self) -> bool:
        """Is there any process left that writes to the log?"""
        return self._reader.is_alive()

    def alive(self) -> bool:
        """Is the master in force there?"""
        return self.process.poll() is None if self._watch < 0 else not _ended(self._watch, 0)

    def signal(self, number: signal.Signals) -> None:
        if self._watch < 0:
            self.process.send_signal(number)
        else:
            signal.pidfd_send_signal(self._watch, number)

    def _ends(self) -> None:
        if self._watch < 0:
            self.process.wait(PATIENCE)
        else:
            assert _ended(self._watch, PATIENCE), "the master does not end"

    def exit_code(self) -> int:
        """Wait for the end of all; the exit code. That of a master which took over stands in nothing but the log."""
        self._ends()
        self._reader.join(PATIENCE)
        if self._watch < 0:
            return self.process.wait()
        return 0 if len(self.found("stopped", pid=self._heir)) > self._stopped else 1

    def stop(self) -> int:
        """TERM, then wait."""
        if self.alive():
            self.signal(signal.SIGTERM)
        try:
            return self.exit_code()
        finally:
            if self.alive():
                self.signal(signal.SIGKILL)
                self._ends()
            if self._watch >= 0:
                os.close(self._watch)
                self._watch, self._heir = -1, 0
            if self.process.stderr is not None:
                self.process.stderr.close()


def _ended(watch: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(watch, select.POLLIN)
    return bool(poll.poll(seconds * 1000))
