"""Workers that run code which means harm: whatever they do to what they share with the master, the service goes on."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from tests.harness import Server, run
from tests.server.raw import Peer, field, message, text
from tests.server.services import ARGS, HANDLER
from tests.server.test_identity import READ_ALL, open_folder
from tests.support import need

__all__ = ["open_folder"]

#: What the handler's method ``fail`` does, by its argument.
EVIL = """
    def fail(self, how):
        import fcntl, random, resource, signal, stat, threading

        def pipes():
            for fd in range(3, 200):
                try:
                    of_the_log = os.fstat(fd).st_ino == os.fstat(2).st_ino
                    writable = fcntl.fcntl(fd, fcntl.F_GETFL) & 3 == os.O_WRONLY
                    if stat.S_ISFIFO(os.fstat(fd).st_mode) and writable and not of_the_log:
                        yield fd
                except OSError:
                    continue

        def files():
            for fd in range(3, 200):
                try:
                    name = os.readlink(f"/proc/self/fd/{fd}")
                except OSError:
                    continue
                if "memfd:thriftserver-scoreboard" in name or "memfd:thriftserver-stacks" in name:
                    yield fd

        def say(data):
            for fd in pipes():
                os.write(fd, data)

        def flood(data):
            def work():
                while True:
                    try:
                        say(data)
                    except OSError:
                        return
            threading.Thread(target=work, daemon=True).start()

        if how == "junk": say(b"not json\\n")
        if how == "kinds": say(b'{"kind": "promote", "code": 0, "message": ""}\\n')
        if how == "types": say(b'{"kind": "failed", "code": "x", "message": []}\\n')
        if how == "deep": say(b"[" * 60000 + b"\\n")
        if how == "bytes": say(b'{"kind": "failed", "code": 0, "message": "\\xff"}\\n')
        if how == "digits": say(b'{"kind": "failed", "code": ' + b"9" * 6000 + b"}\\n")
        if how == "endless": flood(b"x" * 4096)
        if how == "ready": flood(b'{"kind":"ready","code":0,"message":""}\\n' * 50)
        if how == "close":
            for fd in list(pipes()): os.close(fd)
        if how == "cut":
            for fd in files():
                for size in (0, 1 << 45):
                    try: os.ftruncate(fd, size)
                    except OSError: pass
        if how == "scribble":
            for fd in files():
                board = mmap.mmap(fd, os.fstat(fd).st_size)
                for _ in range(20000):
                    at = random.randrange(len(board) // 8) * 8
                    board[at : at + 8] = os.urandom(8)
                    head = random.randrange(16, 1024) * 8
                    board[head : head + 8] = random.choice([b"\\xff" * 8, os.urandom(8), bytes(8)])
        if how == "stop": os.kill(os.getpid(), signal.SIGSTOP)
"""


def fail(server: Server, how: str) -> None:
    with Peer(server) as peer:
        peer.send(message("fail", field(11, 1, text(how)) + b"\0"))
        if how == "scribble":  # it may break its own accounts, and itself with them
            peer.sock.recv(4096)
        elif how != "stop":
            assert peer.answer() is not None


def served(server: Server) -> None:
    with Peer(server) as peer:
        assert peer.ask(message("pid")) is not None


@pytest.fixture
def evil(open_folder: Path) -> Path:
    need(os.geteuid() == 0, "to be run by root")
    (open_folder / "demo.py").write_text(HANDLER + EVIL)
    return open_folder


def start(folder: Path, *args: str) -> Server:
    return Server(*ARGS, "-u", "nobody", "--control", "control", *args, cwd=folder, prefix=READ_ALL)


@pytest.mark.parametrize("how", ["junk", "kinds", "types", "deep", "bytes", "digits", "endless", "ready"])
def test_what_no_worker_would_report_is_refused_once(evil: Path, how: str) -> None:
    with start(evil) as server:
        (worker,) = server.workers()
        fail(server, how)
        refused = server.wait("worker_report_refused")
        assert (refused["worker"], refused["pid"]) == (1, worker)
        served(server)
        server.signal(signal.SIGHUP)
        server.wait("reloaded")
        served(server)
        assert len(server.found("worker_report_refused")) == 1
        assert len(server.found("worker_ready")) == 2
        assert not server.other
        assert server.stop() == 0


def test_a_worker_that_closes_its_pipe_costs_the_master_no_time(evil: Path) -> None:
    with start(evil) as server:
        fail(server, "close")
        served(server)
        before = _ticks(server.pid)
        server.signal(signal.SIGHUP)
        server.wait("reloaded")
        server.wait("worker_exit")
        assert _ticks(server.pid) - before < 50, "it does not go round and round"
        served(server)


def _ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@pytest.mark.parametrize("how", ["cut", "scribble"])
def test_memory_that_a_worker_has_broken_ends_nobody_else(evil: Path, how: str) -> None:
    with start(evil, "--admin", "127.0.0.1:0") as server:
        fail(server, how)
        for command in ("status", "workers", "calls"):
            done = run(evil, "ctl", "--control", "control", command)
            assert done.returncode == 0, done.stderr
            assert "Traceback" not in done.stderr
        server.signal(signal.SIGHUP)
        server.wait("reloaded")
        served(server)
        newest = server.found("worker_ready")[-1]["pid"]
        os.kill(newest, signal.SIGKILL)
        server.wait("worker_exit", pid=newest)
        server.until(lambda: server.found("worker_ready")[-1]["pid"] != newest, "another one")
        served(server)
        assert not (errors := server.found("master_error")), json.dumps(errors)
        assert not server.other


def test_a_worker_that_stops_itself_is_replaced(evil: Path) -> None:
    with start(evil, "--timeout", "1s") as server:
        fail(server, "stop")
        server.wait("worker_killed", reason="was hung")
        server.wait("worker_ready", count=2)
        served(server)
