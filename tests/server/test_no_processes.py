"""A user who may have no more processes or threads (ulimit -u, TasksMax=): nothing ends, and the log says why."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import Server
from tests.server.raw import Peer, message
from tests.server.services import ARGS, write_demo
from tests.support import need

#: Root may have as many as it likes. Everything else is left readable for this user of nobody's.
USER = str(100_000 + os.getpid())
BECOME = ("setpriv", "--reuid", USER, "--regid", USER, "--clear-groups")
READ_ALL = ("--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override")
ADVICE = "look at the limits of the user and the cgroup (ulimit -u, TasksMax=)"


@pytest.fixture
def server() -> Iterator[Server]:
    need(os.geteuid() == 0, "to be run by root")
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o777)
    try:
        with Server(*ARGS, cwd=write_demo(folder), prefix=(*BECOME, *READ_ALL)) as server:
            yield server
    finally:
        shutil.rmtree(folder)


def limit(server: Server, tasks: object) -> None:
    """Processes and threads that the master's user may have, and so the workers that it forks from now on."""
    subprocess.run([*BECOME, "prlimit", "--pid", str(server.pid), f"--nproc={tasks}:"], check=True)


def most(server: Server) -> str:
    """What the limit may be raised to."""
    limits = Path(f"/proc/{server.pid}/limits").read_text().splitlines()
    return next(line for line in limits if line.startswith("Max processes")).split()[3]


def tasks(server: Server) -> int:
    return sum(len(os.listdir(f"/proc/{pid}/task")) for pid in (server.pid, *server.workers()))


def served(server: Server) -> None:
    with Peer(server) as peer:
        assert peer.ask(message("pid")) is not None


def test_without_processes_nothing_ends_and_later_all_goes_on(server: Server) -> None:
    limit(server, 1)
    server.signal(signal.SIGTTIN)
    assert server.wait("spawn_failed")["reason"].endswith(ADVICE)
    server.signal(signal.SIGHUP)
    assert server.wait("reload_rejected")["reason"].endswith(ADVICE)
    server.signal(signal.SIGUSR2)
    assert server.wait("upgrade_failed")["reason"].endswith(ADVICE)
    served(server)
    limit(server, most(server))
    server.wait("worker_ready", count=2)
    server.signal(signal.SIGHUP)
    server.wait("reloaded")
    served(server)


def test_a_worker_that_gets_no_threads_says_so(server: Server) -> None:
    """It may be born, and no more."""
    limit(server, tasks(server) + 1)
    server.signal(signal.SIGTTIN)
    ended = server.wait("worker_exit")
    assert ended["code"] == 3
    assert ended["reason"] == f"the system gives a worker no threads; {ADVICE}"
    assert not server.found("worker_failed"), "no traceback of ours"
    served(server)
