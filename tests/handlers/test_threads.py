"""Handlers on threads have the ordinary world, shared with fibers; and what they start knows the call."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.harness import PATIENCE, Server

METHODS = ("children", "hold", "get", "get_simple", "put", "wait", "wake", "ask", "start", "known", "condition")

HANDLER = """
import contextvars, gevent, gevent.pool, logging, multiprocessing, queue, socket, sqlite3, subprocess, sys
import threading, time
from concurrent.futures import ThreadPoolExecutor
import thriftserver

LOCK, RLOCK, EVENT, CONDITION = threading.Lock(), threading.RLock(), threading.Event(), threading.Condition()
QUEUE, SIMPLE, ROOM = queue.Queue(1), queue.SimpleQueue(), threading.BoundedSemaphore(1)
POOL = ThreadPoolExecutor(2)
VARIABLE = contextvars.ContextVar("variable", default="")
SOCKETS = []
inside = 0


def look():
    return f"{thriftserver.current_call().method} {VARIABLE.get()}"


class Impl:
    def children(self, text):
        out = [subprocess.run(["cat"], input=text, capture_output=True, text=True, timeout=20).stdout]
        out.append(subprocess.check_output("echo $0 two", shell=True, text=True).split()[1])
        with subprocess.Popen(["sh", "-c", "read x; echo $x; exit 3"], stdin=-1, stdout=-1, text=True) as process:
            process.stdin.write("three\\n")
            process.stdin.flush()
            out.append(process.stdout.readline().strip())
        out.append(str(process.returncode))
        try:
            subprocess.run(["sleep", "60"], timeout=0.05)
        except subprocess.TimeoutExpired:
            out.append("late")
        for kind in ("fork", "spawn"):
            process = multiprocessing.get_context(kind).Process(target=sys.exit, args=(4,))
            process.start()
            process.join(20)
            out.append(str(process.exitcode))
        return " ".join(out)

    def hold(self, text):
        global inside
        for number in range(30):
            with LOCK, RLOCK, RLOCK, ROOM:
                inside += 1
                assert inside == 1
                time.sleep(0.0005 * (number % 3))
                inside -= 1
        return "held"

    def get(self, text): return QUEUE.get(timeout=20)
    def get_simple(self, text): return SIMPLE.get(timeout=20)

    def put(self, text):
        QUEUE.put(text)
        SIMPLE.put(text)
        return "put"

    def wait(self, text): return str(EVENT.wait(20))

    def wake(self, text):
        EVENT.set()
        with CONDITION:
            CONDITION.notify_all()
        return "woken"

    def condition(self, text):
        with CONDITION:
            return str(CONDITION.wait_for(EVENT.is_set, 20))

    def ask(self, text):
        if not SOCKETS:
            SOCKETS.append(socket.create_connection(("127.0.0.1", int(text)), 20))
        with LOCK:
            SOCKETS[0].sendall(b"hello\\n")
            return SOCKETS[0].makefile().readline().strip()

    def start(self, text):
        out = [sqlite3.connect(":memory:").execute("select 'sql'").fetchone()[0]]
        out.append(POOL.submit(lambda: "pool").result(20))
        out.append(gevent.spawn(lambda: "greenlet").get(timeout=20))
        logging.getLogger("x").warning("logged")
        with ThreadPoolExecutor(3) as pool:
            out.append("".join(pool.map(str, range(3))))
        thread = threading.Thread(target=lambda: out.append("thread"))
        thread.start()
        thread.join(20)
        assert not thread.is_alive()
        return " ".join(out)

    def known(self, text):
        VARIABLE.set(text)
        found = [look()]
        thread = threading.Thread(target=lambda: found.append(look()))
        thread.start()
        thread.join()
        timer = threading.Timer(0.001, lambda: found.append(look()))
        timer.start()
        timer.join()
        found.append(gevent.spawn(look).get())
        later = gevent.spawn_later(0.001, look)
        found.append(later.get())
        found.append(gevent.pool.Pool(1).spawn(look).get())
        raw = []
        gevent.spawn_raw(lambda: raw.append(look()))
        gevent.sleep(0.01)
        found += raw
        found.append(POOL.submit(look).result())
        found.append(gevent.get_hub().threadpool.apply(look))
        assert len(found) == 9, found
        return ",".join(sorted(set(found)))

"""
HANDLER += "".join(f"    {name}_on_a_thread = {name}\n" for name in METHODS)
IDL = "service Threads {\n"
IDL += "".join(
    f"  string {name}(1: string text)\n  string {name}_on_a_thread(1: string text) (thriftserver.blocking)\n"
    for name in METHODS
)
IDL += "}\n"
ARGS = ("--idl", "threads.thrift", "--handler", "threads:Impl")
WHERE = ["", "_on_a_thread"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "threads.thrift").write_text(IDL)
    (tmp_path / "threads.py").write_text(HANDLER)
    return tmp_path


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with Server(*ARGS, cwd=folder) as server:
        yield server
        assert not server.found("handler_failed")
        assert not server.found("greenlet_failed")


def ask(folder: Path, server: Server, method: str, text: str = "one") -> str:
    api: Any = thriftserver.load(str(folder / "threads.thrift"))
    with api.Threads.Client(server.host, server.port, timeout=PATIENCE) as client:
        answer: str = getattr(client, method)(text)
        return answer


@pytest.mark.parametrize("where", WHERE)
def test_children(folder: Path, server: Server, where: str) -> None:
    for _ in range(2):
        assert ask(folder, server, "children" + where) == "one two three 3 late 4 4"


def test_locks_and_queues_between_fibers_and_threads(folder: Path, server: Server) -> None:
    with ThreadPoolExecutor(8) as clients:
        holds = [clients.submit(ask, folder, server, "hold" + WHERE[number % 2]) for number in range(8)]
        assert [each.result() for each in holds] == ["held"] * 8
        for one, other in (WHERE, WHERE[::-1]):
            got = [clients.submit(ask, folder, server, method + one) for method in ("get", "get_simple")]
            assert ask(folder, server, "put" + other, "item") == "put"
            assert [each.result() for each in got] == ["item", "item"]
        waits = [
            clients.submit(ask, folder, server, method + where) for method in ("wait", "condition") for where in WHERE
        ]
        assert ask(folder, server, "wake_on_a_thread") == "woken"
        assert [each.result() for each in waits] == ["True"] * 4


@pytest.mark.parametrize("first", WHERE)
def test_sockets_of_both(folder: Path, server: Server, first: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def echo() -> None:
            with listener.accept()[0] as peer:
                while data := peer.recv(100):
                    peer.sendall(data)

        echoes = threading.Thread(target=echo)
        echoes.start()
        for where in (first, *WHERE, *WHERE):
            assert ask(folder, server, "ask" + where, str(listener.getsockname()[1])) == "hello"
        server.stop()
        echoes.join(PATIENCE)


@pytest.mark.parametrize("where", WHERE)
def test_what_a_handler_starts(folder: Path, server: Server, where: str) -> None:
    for _ in range(2):
        assert ask(folder, server, "start" + where) == "sql pool greenlet 012 thread"


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("patch", ["--monkey-patch", "--no-monkey-patch"])
def test_the_call_is_known_in_what_it_starts(folder: Path, patch: str, where: str) -> None:
    with Server(*ARGS, patch, cwd=folder) as server:
        for text in ("one", "two"):  # pools stay; their work belongs to who asked for it
            assert ask(folder, server, "known" + where, text) == f"known{where} {text}"


@pytest.mark.parametrize(("option", "timer"), [((), True), (("--keepalive", "off"), False)])
def test_accepted_connections_are_kept_alive(folder: Path, option: tuple[str, ...], timer: bool) -> None:
    with Server(*ARGS, *option, cwd=folder) as server, socket.create_connection((server.host, server.port)) as peer:
        assert ask(folder, server, "start")  # accepted in order
        command = ["ss", "-Htno", "src", f"127.0.0.1:{server.port}", "dst", f"127.0.0.1:{peer.getsockname()[1]}"]
        told = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | {"LC_ALL": "C"})
        assert ("timer:(keepalive," in told.stdout) == timer, told.stdout
