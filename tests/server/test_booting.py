"""A worker that is told to leave, or orphaned, before it serves: it goes at once and well."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.harness import Server
from tests.server.services import ARGS, HANDLER, SLOW, write_demo


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR2, signal.SIGQUIT], ids=["TERM", "USR2", "QUIT"])
def test_a_signal_ends_a_worker_that_boots(tmp_path: Path, number: signal.Signals) -> None:
    with Server(*ARGS, cwd=write_demo(tmp_path)) as server:
        write_demo(tmp_path, SLOW + HANDLER)
        server.signal(signal.SIGTTIN)
        pid = server.wait("importing")["worker_pid"]
        os.kill(pid, number)
        assert server.wait("worker_exit", pid=pid)["code"] == 0


def test_a_worker_that_boots_is_retired_well(tmp_path: Path) -> None:
    with Server(*ARGS, cwd=write_demo(tmp_path)) as server:
        write_demo(tmp_path, SLOW + HANDLER)
        server.signal(signal.SIGTTIN)
        pid = server.wait("importing")["worker_pid"]
        server.signal(signal.SIGTTOU)
        gone = server.wait("worker_exit", pid=pid)
        assert (gone["code"], gone["level"]) == (0, "info")


def test_a_worker_that_boots_does_not_outlive_its_master(tmp_path: Path) -> None:
    with Server(*ARGS, cwd=write_demo(tmp_path)) as server:
        write_demo(tmp_path, "import time\ntime.sleep(3600)\n")
        server.signal(signal.SIGTTIN)
        server.eventually(lambda: len(server.workers()) == 2, "second worker")
        server.signal(signal.SIGKILL)
        server.exit_code()
        assert not server.running(), "the log's pipe ends only when the last worker is gone"
