"""What handler code forks has nothing of the worker, in whatever way it does it; and the worker does not notice."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.harness import PATIENCE, Server

IDL = """
service Forks {
  i32 pid()
  void leave(1: string how)
  i32 ends(1: string how)
  i32 ends_on_a_thread(1: string how) (thriftserver.blocking)
  void leave_from_a_thread(1: string how) (thriftserver.blocking)
  void wait_and_note()
}
"""

HANDLER = """
import atexit, gevent, gevent.monkey, gevent.os, json, logging, multiprocessing, os, pathlib, pty, signal
import socket, subprocess, sys, threading, time

here = pathlib.Path(__file__).parent


def note(name, what):
    with open(here / name, "a") as file:
        file.write(f"{what}\\n")


def live(how):
    "What a child does: say what it has, and stay. It waits as children do that know nothing of gevent, or much."
    logging.getLogger("child").warning("lives: %s", how)
    gevent.spawn(lambda: None).join()
    time.sleep(0.01)
    a, b = socket.socketpair()
    cooperative = how == "greenlet" and gevent.monkey.is_module_patched("socket")
    gevent.spawn_later(0.01, b.send, b"x") if cooperative else b.send(b"x")
    a.recv(1)
    subprocess.run(["true"], check=True)
    facts = {"pid": os.getpid(), "term": signal.getsignal(signal.SIGTERM) == signal.SIG_DFL,
             "int": signal.getsignal(signal.SIGINT) == signal.default_int_handler}
    (here / "draft").write_text(json.dumps(facts))
    (here / "draft").rename(here / f"child-{how}")
    time.sleep(600)


def forked(pid, how):
    if pid == 0:
        try:
            live(how)
        finally:
            os._exit(0)


class Impl:
    def __init__(self):
        atexit.register(lambda: note("atexit", os.getpid()))

    def setup(self):
        if (here / "fork in setup").exists() and os.fork() == 0:
            raise SystemExit(0)

    def teardown(self):
        note("teardown", os.getpid())

    def pid(self):
        return os.getpid()

    def wait_and_note(self):
        note("waits", os.getpid())
        time.sleep(0.5)
        note("waited", os.getpid())

    def leave(self, how):
        if how == "multiprocessing":
            multiprocessing.get_context("fork").Process(target=live, args=(how,), daemon=True).start()
        elif how == "os.fork":
            forked(os.fork(), how)
        elif how == "gevent.os.fork":
            forked(gevent.os.fork(), how)
        elif how == "os.forkpty":
            forked(os.forkpty()[0], how)
        elif how == "pty.fork":
            forked(pty.fork()[0], how)
        elif how == "daemon":
            child = os.fork()
            if child == 0:
                os.setsid()
                if os.fork() != 0:
                    os._exit(0)
                forked(0, how)
            os.waitpid(child, 0)
        elif how == "greenlet":
            gevent.spawn(lambda: forked(os.fork(), how)).join()
        elif how == "preexec_fn":
            subprocess.Popen([sys.executable, "-c", EXECUTED % (str(here), how)], preexec_fn=lambda: time.sleep(0))
        elif how == "spawn":
            subprocess.Popen([sys.executable, "-c", EXECUTED % (str(here), how)])
        elif how == "fork in C and exec":
            code = EXECUTED % (str(here), how)
            # No hook of Python's runs here.
            subprocess.Popen([sys.executable, "-c", code], close_fds=False)
        elif how == "thread":
            thread = threading.Thread(target=lambda: forked(os.fork(), how))
            thread.start()
            thread.join()

    leave_from_a_thread = leave

    def ends(self, how):
        pid = os.fork()
        if pid == 0:
            time.sleep(0.01)
            if how == "return":
                return 99
            if how == "exit":
                sys.exit(3)
            if how == "raise":
                raise ValueError("the child failed")
            if how == "killed":
                os.kill(os.getpid(), signal.SIGTERM)
                time.sleep(600)
            if how == "greenlet":
                gevent.spawn(sys.exit, 5).join()
            os._exit(4)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    ends_on_a_thread = ends


EXECUTED = '''
import json, os, pathlib, signal, time
here, how = pathlib.Path(%r), %r
facts = {"pid": os.getpid(), "term": signal.getsignal(signal.SIGTERM) == signal.SIG_DFL, "int": True}
(here / "draft").write_text(json.dumps(facts))
(here / "draft").rename(here / f"child-{how}")
time.sleep(600)
'''
"""

KINDS = [
    "multiprocessing",
    "os.fork",
    "gevent.os.fork",
    "os.forkpty",
    "pty.fork",
    "daemon",
    "greenlet",
    "preexec_fn",
    "spawn",
    "fork in C and exec",
    "thread",
]
ENDINGS = {"return": 0, "exit": 3, "raise": 1, "killed": -signal.SIGTERM, "greenlet": 5, "_exit": 4}


@pytest.fixture(params=["native", "pure"])
def env(request: pytest.FixtureRequest) -> dict[str, str]:
    return {"THRIFTSERVER_PURE": "1" if request.param == "pure" else ""}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "forks.thrift").write_text(IDL)
    (tmp_path / "forks.py").write_text(HANDLER)
    return tmp_path


@pytest.fixture(params=["--monkey-patch", "--no-monkey-patch"])
def server(request: pytest.FixtureRequest, folder: Path, env: dict[str, str]) -> Iterator[Server]:
    with Server(*ARGS, request.param, cwd=folder, env=env) as server:
        yield server
        for path in folder.glob("child-*"):  # they hold the log open, and would stay
            with suppress(ProcessLookupError):
                os.kill(json.loads(path.read_text())["pid"], signal.SIGKILL)


ARGS = ("--idl", "forks.thrift", "--handler", "forks:Impl")


def connect(folder: Path, server: Server) -> Any:
    api = thriftserver.load(str(folder / "forks.thrift"))
    return api.Forks.Client(server.host, server.port, timeout=PATIENCE)


def born(server: Server, folder: Path, how: str) -> dict[str, Any]:
    path = folder / f"child-{how}"
    server.eventually(path.exists, f"child of {how}: {server.events[-5:]}")
    facts: dict[str, Any] = json.loads(path.read_text())
    return facts


def held(pid: int) -> dict[str, str]:
    """What a process holds, by descriptor."""
    found = {}
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[name] = os.readlink(f"/proc/{pid}/fd/{name}")
        except FileNotFoundError:
            continue
    return found


def ended(pidfd: int) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(PATIENCE * 1000))


def test_a_child_has_nothing_of_the_worker(server: Server, folder: Path) -> None:
    with connect(folder, server) as client:
        worker = client.pid()
        mine = held(worker)
        logs = {mine["0"], mine["1"], mine["2"]}
        kinds = ("socket:", "pipe:", "/memfd:thriftserver-stacks")
        private = {target for target in mine.values() if target.startswith(kinds)} - logs
        assert len(private) > 4  # this test looks at something
        children = {}
        for how in KINDS:
            client.leave(how)
            children[how] = born(server, folder, how)
        for how in ("os.fork", "multiprocessing"):
            (folder / f"child-{how}").unlink()
            client.leave_from_a_thread(how)
            children[f"{how} from a thread"] = born(server, folder, how)
        watches = {how: os.pidfd_open(facts["pid"]) for how, facts in children.items()}
        for how, facts in children.items():
            assert not private & set(held(facts["pid"]).values()), how
            assert (facts["term"], facts["int"]) == (True, True), how
        # The worker goes on, alone.
        for _ in range(50):
            with connect(folder, server) as other:
                assert other.pid() == worker
        assert client.pid() == worker
        for how, watch in watches.items():
            signal.pidfd_send_signal(watch, signal.SIGTERM)
            assert ended(watch), how
            os.close(watch)
        assert client.pid() == worker
    assert not server.found("worker_exit")


def test_connections_end_with_the_worker_though_its_child_lives(server: Server, folder: Path) -> None:
    with connect(folder, server) as client:
        client.leave("os.fork")
        child = os.pidfd_open(born(server, folder, "os.fork")["pid"])
        with socket.create_connection((server.host, server.port), PATIENCE) as peer:
            with connect(folder, server) as other:
                other.pid()  # accepted in order
            os.kill(client.pid(), signal.SIGKILL)
            assert peer.recv(1) == b""
    port = server.port
    server.signal(signal.SIGTERM)
    assert server.process.wait(PATIENCE) == 0  # and not to the end of the log, which the child has open
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), PATIENCE)
    signal.pidfd_send_signal(child, signal.SIGKILL)
    assert ended(child)
    os.close(child)


@pytest.mark.parametrize("method", ["ends", "ends_on_a_thread"])
def test_a_child_that_comes_out_of_the_handler_ends_and_answers_nobody(
    server: Server, folder: Path, method: str
) -> None:
    with connect(folder, server) as client:
        worker = client.pid()
        for how, code in ENDINGS.items():
            assert getattr(client, method)(how) == code, how
        assert client.pid() == worker
    assert len(server.found("child_failed")) == 1
    assert not server.found("handler_failed")
    assert server.stop() == 0
    assert (folder / "atexit").read_text().split() == [str(worker)]
    assert (folder / "teardown").read_text().split() == [str(worker)]


def test_calls_of_others_do_not_go_on_in_a_child(server: Server, folder: Path) -> None:
    with connect(folder, server) as one, connect(folder, server) as other:
        waits = threading.Thread(target=one.wait_and_note)
        waits.start()
        server.eventually((folder / "waits").exists, "call that waits")
        other.leave("os.fork")
        facts = born(server, folder, "os.fork")
        waits.join(PATIENCE)
        assert other.ends("return") == 0
        os.kill(facts["pid"], signal.SIGKILL)
        assert len((folder / "waited").read_text().split()) == 1


def test_a_fork_in_setup_makes_no_second_worker(folder: Path) -> None:
    (folder / "fork in setup").touch()
    with Server(*ARGS, cwd=folder) as server, connect(folder, server) as client:
        worker = client.pid()
        assert server.workers() == [worker]
    assert (folder / "teardown").read_text().split() == [str(worker)]


HASTY = """
import multiprocessing, os, pty

# Who forks goes on when the child has ended already.
os.register_at_fork(after_in_parent=lambda: os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT))


class Impl:
    def ends(self, how):
        if how == "multiprocessing":
            child = multiprocessing.get_context("fork").Process(target=os._exit, args=(7,))
            child.start()
            child.join()
            return child.exitcode
        pid = os.fork() if how == "os.fork" else (os.forkpty if how == "os.forkpty" else pty.fork)()[0]
        if pid == 0:
            os._exit(7)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    ends_on_a_thread = ends
    pid = leave = leave_from_a_thread = wait_and_note = lambda self, *_: None
"""


@pytest.mark.parametrize("how", ["os.fork", "os.forkpty", "pty.fork", "multiprocessing"])
@pytest.mark.parametrize("method", ["ends", "ends_on_a_thread"])
def test_the_end_of_the_first_child_is_not_missed(folder: Path, method: str, how: str) -> None:
    (folder / "forks.py").write_text(HASTY)
    with Server(*ARGS, cwd=folder) as server, connect(folder, server) as client:
        assert getattr(client, method)(how) == 7
