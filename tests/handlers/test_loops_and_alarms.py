"""What ``asyncio.run`` and SIGALRM do in a handler, as docs/handlers.md says."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.harness import PATIENCE, Server

IDL = """
service Loops {
  string gather(1: string text)
  string gather_on_a_thread(1: string text) (thriftserver.blocking)
  string first(1: string text)
  string second(1: string text)
  string ring(1: string text)
  string rings(1: string text)
}
"""
HANDLER = """
import asyncio, signal, threading, time
import thriftserver

INSIDE, TRIED = threading.Event(), threading.Event()


class Impl:
    def gather(self, text):
        async def one(number):
            await asyncio.sleep(0.01 * number)
            return f"{thriftserver.current_call().method} {text} {number}"

        async def both():
            return await asyncio.gather(one(1), one(2))

        return ",".join(asyncio.run(both()))

    gather_on_a_thread = gather

    def first(self, text):
        async def wait():
            INSIDE.set()
            while not TRIED.is_set():
                await asyncio.sleep(0.001)
            return text

        return asyncio.run(wait())

    def second(self, text):
        INSIDE.wait(20)
        try:
            return self.gather(text)
        finally:
            TRIED.set()

    def ring(self, text):
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        time.sleep(20)
        return "slept"

    def rings(self, text):
        rung = threading.Event()
        before = signal.signal(signal.SIGALRM, lambda *_: rung.set())
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.01)
            return str(rung.wait(20))
        finally:
            signal.signal(signal.SIGALRM, before)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "loops.thrift").write_text(IDL)
    (tmp_path / "loops.py").write_text(HANDLER)
    with Server("--idl", "loops.thrift", "--handler", "loops:Impl", cwd=tmp_path) as server:
        yield server


def ask(tmp_path: Path, server: Server, method: str, text: str) -> str:
    api: Any = thriftserver.load(str(tmp_path / "loops.thrift"))
    with api.Loops.Client(server.host, server.port, timeout=PATIENCE) as client:
        answer: str = getattr(client, method)(text)
        return answer


def test_an_asyncio_loop_in_each_call_on_a_thread(tmp_path: Path, server: Server) -> None:
    method = "gather_on_a_thread"
    with ThreadPoolExecutor(8) as callers:
        asked = [callers.submit(ask, tmp_path, server, method, str(number)) for number in range(8)]
        told = [each.result() for each in asked]
    assert told == [f"{method} {number} 1,{method} {number} 2" for number in range(8)]
    assert not server.found("handler_failed")


def test_one_asyncio_loop_at_a_time_outside_of_threads(tmp_path: Path, server: Server) -> None:
    for text in ("one", "two"):
        assert ask(tmp_path, server, "gather", text) == f"gather {text} 1,gather {text} 2"
    with ThreadPoolExecutor(2) as callers:
        first = callers.submit(ask, tmp_path, server, "first", "undisturbed")
        with pytest.raises(thriftserver.errors.ApplicationError, match="internal error"):
            ask(tmp_path, server, "second", "too many")
        assert first.result() == "undisturbed"
    assert "cannot be called from a running event loop" in server.wait("handler_failed")["error"]
    assert ask(tmp_path, server, "gather", "after") == "gather after 1,gather after 2"


def test_an_alarm_that_nobody_handles_ends_the_worker(tmp_path: Path, server: Server) -> None:
    with pytest.raises(thriftserver.errors.TransportError):
        ask(tmp_path, server, "ring", "")
    assert server.wait("worker_exit")["signal"] == signal.SIGALRM
    server.wait("worker_ready", count=2)
    assert ask(tmp_path, server, "rings", "") == "True"
