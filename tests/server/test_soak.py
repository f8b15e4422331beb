"""Everything at once, under load from clients that keep their connections: only what killed workers ran is lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Server
from tests.load import Load
from tests.server.raw import note
from tests.server.services import ARGS, COUNTING, HANDLER, NASTY, executed, write_demo
from thriftserver.cli.ctl import ask

WORKERS = 3
OPTIONS = ("-w", str(WORKERS), "--control", "control", "--timeout", "1.5s", "--max-rss", "200m")
SPENDING = ("--max-requests", "20000", "--max-requests-jitter", "10000")
#: Seconds by which the clock of the log and that of the clients may see the same death apart.
APART = 2.0


class Soak:
    """What happens to the server, one thing after another; ``deaths`` are the times in which a worker was dying."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server = server
        self.deaths: list[tuple[float, float]] = []
        self._control = str(folder / "control")
        self._orders: list[Callable[[], None]] = [
            self.reload,
            self.kill,
            self.upgrade,
            lambda: self.dies("spin"),
            self.scale,
            self.stop,
            self.drain,
            lambda: self.dies("abort"),
            self.leak,
        ]

    def run(self, seconds: float) -> None:
        """Every order once, and again until the time is over."""
        end = time.monotonic() + seconds
        while True:
            for order in self._orders:
                order()
                self._settle()
            if time.monotonic() > end:
                return

    def _settle(self) -> None:
        """Wait until as many serve as should, and no others are there."""

        def settled() -> bool:
            rows = ask(self._control, command="workers")["workers"]
            return [row["state"] for row in rows] == ["serving"] * WORKERS

        self.server.eventually(settled, "rest")

    def _new(self, event: str, order: Callable[[], object], **facts: object) -> dict[str, Any]:
        """The first line of that kind after ``order``."""
        before = len(self.server.found(event, **facts))
        order()
        return self.server.wait(event, before + 1, **facts)

    def reload(self) -> None:
        self._new("reloaded", lambda: self.server.signal(signal.SIGHUP))

    def upgrade(self) -> None:
        self.server.upgrade()

    def scale(self) -> None:
        self._new("worker_ready", lambda: self.server.signal(signal.SIGTTIN))
        self._new("worker_exit", lambda: self.server.signal(signal.SIGTTOU), code=0)

    def drain(self) -> None:
        pid = ask(self._control, command="workers")["workers"][0]["pid"]
        ask(self._control, command="drain", pid=pid)
        self.server.wait("worker_exit", pid=pid, code=0)

    def leak(self) -> None:
        self._new("worker_spent", lambda: note(self.server, "leak"))

    def kill(self) -> None:
        self._death(lambda: os.kill(self.server.workers()[0], signal.SIGKILL))

    def stop(self) -> None:
        self._death(lambda: os.kill(self.server.workers()[0], signal.SIGSTOP))

    def dies(self, how: str) -> None:
        self._death(lambda: note(self.server, how))

    def _death(self, order: Callable[[], None]) -> None:
        began = time.time()
        gone = self._new("worker_exit", order, level="error")
        self.deaths.append((began - APART, datetime.fromisoformat(gone["time"]).timestamp() + APART))


def soak(folder: Path, seconds: float) -> None:
    write_demo(folder, HANDLER + NASTY + COUNTING)
    with Server(*ARGS, *OPTIONS, *SPENDING, cwd=folder) as server:
        with Load(server, 16, reconnect=True) as load:
            it = Soak(server, folder)
            it.run(seconds)
        stray = [each for each in load.lost if not any(start < each.when < end for start, end in it.deaths)]
        assert not stray, (stray, server.events[-30:])
        assert not load.wrong
        assert not load.refused
        # What was executed was answered, or is named.
        named = server.found("call_lost", method="add")
        assert executed(folder) - load.calls <= len(named), load
        assert load.dropped <= sum(line["count"] for line in server.found("connections_lost")), load
        for event in ("worker_hung", "worker_crashed", "worker_spent", "upgraded", "reloaded"):
            assert server.found(event), event
        killed = server.found("worker_exit", level="error")
        assert len(killed) == len(it.deaths), killed
        assert server.stop() == 0


def test_everything_once_loses_only_what_killed_workers_ran(tmp_path: Path) -> None:
    soak(tmp_path, 0)


@pytest.mark.promises
@pytest.mark.timeout(600)
def test_a_minute_of_everything_loses_only_what_killed_workers_ran(tmp_path: Path) -> None:
    soak(tmp_path, 60)
