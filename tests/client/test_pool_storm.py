"""Three real servers under load, one killed, one stalled, one that sheds: nothing fails that was safe to make again,
nothing is executed twice that must not be, and the stalled one is left out and taken back."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.harness import PATIENCE, Server
from tests.support import ROOT

pytestmark = [pytest.mark.promises, pytest.mark.timeout(300)]

IDL = """
service Things {
  // Both are noted with their number.
  i32 find(1: i32 id) (thriftserver.idempotent),
  i32 add(1: i32 id)
}
"""
HANDLER = """
import os
import gevent

notes = os.open("history", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
name = os.environ["SERVER"]

class Things:
    def find(self, id):
        return self.note("find", id)

    def add(self, id):
        return self.note("add", id)

    def note(self, method, id):
        os.write(notes, f"{method} {id} {name}\\n".encode())
        gevent.sleep(0.002)
        return id
"""


class Crowd:
    """The program with the calls."""

    def __init__(self, way: str, folder: Path, servers: list[Server]) -> None:
        names = [f"{each.host}:{each.port}" for each in servers]
        patch = ["-m", "gevent.monkey"] if way == "greenlets" else []
        self._order, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [
                sys.executable,
                *patch,
                str(Path(__file__).with_name("storm.py")),
                way,
                str(folder / "things.thrift"),
                *names,
            ],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=theirs,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        theirs.close()
        self.log: list[str] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            with self._news:
                self.log.append(line.strip())
                self._news.notify_all()
        with self._news:
            self._news.notify_all()

    def wait(self, *parts: str, since: int = 0) -> int:
        """Until the log has a line with all of these parts; how many there are then."""

        def there() -> bool:
            return any(all(part in line for part in parts) for line in self.log[since:])

        with self._news:
            self._news.wait_for(lambda: there() or not self._reader.is_alive(), PATIENCE)
            assert there(), (parts, self.log)
            return len(self.log)

    def end(self) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """The calls that have failed, and how many there were."""
        self._order.shutdown(socket.SHUT_WR)
        assert self._process.stdout is not None
        *failures, last = map(json.loads, self._process.stdout)
        assert self._process.wait(PATIENCE) == 0, self.log
        return failures, last

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
        for stream in (self._order, self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    (tmp_path / "things.thrift").write_text(IDL)
    (tmp_path / "things.py").write_text(HANDLER)
    with ExitStack() as stack:

        def started(name: str, *args: str) -> Server:
            command = ("--idl", "things.thrift", "--handler", "things:Things", "-w", "1", *args)
            return stack.enter_context(Server(*command, cwd=tmp_path, env={"SERVER": name}))

        yield started


def history(folder: Path) -> list[tuple[str, int, str]]:
    lines = [line.split() for line in (folder / "history").read_text().splitlines()]
    return [(method, int(number), server) for method, number, server in lines]


def grows(folder: Path, server: str, by: int) -> None:
    """Wait until this server has executed so many calls more."""

    def count() -> int:
        return sum(where == server for _, _, where in history(folder))

    wanted, end = count() + by, time.monotonic() + PATIENCE
    while count() < wanted:
        assert time.monotonic() < end, f"{server} gets no calls"
        time.sleep(0.02)


def killed(server: Server) -> None:
    """All of its processes, at once."""
    processes = [server.pid, *server.workers()]
    for pid in processes:
        os.kill(pid, signal.SIGKILL)
    server.process.wait(PATIENCE)


@pytest.mark.parametrize("way", ["threads", "greenlets", "tasks"])
def test_nothing_is_lost_that_can_be_saved(start: Callable[..., Server], tmp_path: Path, way: str) -> None:
    servers = [start("killed"), start("stalled"), start("full", "--max-inflight", "2", "--queue-timeout", "0.01")]
    addresses = [f"{each.host}:{each.port}" for each in servers]
    first, second, _ = servers
    crowd = Crowd(way, tmp_path, servers)
    try:
        for name in ("killed", "stalled", "full"):
            grows(tmp_path, name, 100)
        killed(first)
        seen = crowd.wait(f"{addresses[0]} gets no calls")
        workers = second.workers()
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
        seen = crowd.wait(f"{addresses[1]} gets no calls", since=seen)
        grows(tmp_path, "full", 300)
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
        crowd.wait(f"{addresses[1]} answers, and gets calls again", since=seen)
        grows(tmp_path, "stalled", 100)
        start("back", "--bind", addresses[0])
        crowd.wait(f"{addresses[0]} answers, and gets calls again", since=seen)
        grows(tmp_path, "back", 100)
        failures, done = crowd.end()
    finally:
        crowd.kill()
    told = history(tmp_path)
    adds = Counter(number for method, number, _ in told if method == "add")
    assert max(adds.values()) == 1, "executed twice"
    assert not [each for each in failures if each["method"] == "find"]
    assert not [each for each in failures if not each.get("executed")]
    assert len(failures) <= 40, "only what was under way at the server that was killed or stalled"
    lost = {each["id"] for each in failures}
    assert set(range(0, 2 * done["add"], 2)) - lost <= adds.keys()
    print(done, failures, crowd.log, sep="\n")
    assert done["shed"] > 0
    assert done["repeated"] > done["shed"] / 2
    assert done["seats"] == 10
    assert done["calls"] == done["find"] + done["add"]
    assert len(crowd.log) <= 8, "a line for each change, not for each call"
