"""USR2 with ``--canary``: a new master tries one worker beside those of the old one before it takes over."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from tests.canary.releases import BAD, HARMLESS, write
from tests.canary.traffic import Traffic
from tests.harness import Server
from tests.server.control import ctl


def begun(server: Server) -> int:
    """Ask for an upgrade, and wait until the new master tries a worker: its pid."""
    server.signal(signal.SIGUSR2)
    successor: int = server.wait("canary_started")["successor"]
    return successor


def test_a_bad_release_is_rolled_back_and_its_connections_come_back(server: Server, folder: Path) -> None:
    before = server.workers()
    with Traffic(server, 9) as traffic:
        write(folder, BAD["raises on one method"][1])
        asked = ctl(folder, "upgrade")
        told = server.wait("reload_rolled_back")
        assert (asked.returncode, told["reason"] in asked.stderr) == (1, True)
        assert (told["what"], told["pid"]) == ("upgrade", server.pid)
        assert [each["what"] for each in told["evidence"]] == ["outcomes"]
        assert "Shop.name" in told["reason"]
        status = json.loads(ctl(folder, "--json", "status").stdout)
        assert (status["canary"], status["rollbacks"], status["upgrading"]) == (None, 1, False)
    assert not traffic.dropped, traffic.answers
    assert [pid for pid in server.workers() if pid in before] == before
    assert not server.found("upgraded")
    assert not server.other


def test_a_harmless_release_takes_over(server: Server, folder: Path) -> None:
    with Traffic(server, 9) as traffic:
        write(folder, HARMLESS[3])
        successor = begun(server)
        status = json.loads(ctl(folder, "--json", "status").stdout)
        assert status["canary"]["successor"] == successor
        server.wait("upgraded", successor=successor)
        server.follow(successor)
        (passed,) = server.found("canary_passed")
        assert passed["calls"] >= 100, "it has its share of connections"
        server.signal(signal.SIGHUP)  # the old master's workers are none that this one's are compared with
        assert server.wait("canary_passed", 2)["calls_beside"] >= 100
        server.wait("worker_exit", 4, code=0)
    assert not traffic.dropped, traffic.answers
    assert len(json.loads(ctl(folder, "--json", "workers").stdout)["workers"]) == 2


def test_a_new_master_killed_on_trial_leaves_nothing_behind(server: Server, folder: Path) -> None:
    with Traffic(server, 9):
        os.kill(begun(server), signal.SIGKILL)
        assert "signal 9" in server.wait("upgrade_failed")["reason"]
        status = json.loads(ctl(folder, "--json", "status").stdout)
        assert (status["canary"], status["workers"]) == (None, 2)
    write(folder, HARMLESS[1])
    server.upgrade()


def test_an_old_master_killed_meanwhile_is_followed_without_a_verdict(server: Server, folder: Path) -> None:
    successor = begun(server)
    server.signal(signal.SIGKILL)
    server.follow(successor, code=-signal.SIGKILL)
    server.wait("ready", 2)
    assert len(json.loads(ctl(folder, "--json", "workers").stdout)["workers"]) == 2
