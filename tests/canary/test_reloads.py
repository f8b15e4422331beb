"""HUP with ``--canary``: what is worse is rolled back by itself, and everybody is told; what is not goes on."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

from tests.canary.releases import ARGS, BAD, HARMLESS, write
from tests.canary.traffic import Traffic
from tests.harness import Server
from tests.server.control import ctl
from tests.server.raw import Peer, field, i32, message
from tests.server.test_blind_spots import sample
from tests.server.test_systemd import Systemd
from tests.support import ROOT


def started(server: Server, count: int = 1) -> int:
    """Reload, and wait until the new generation is on trial: which it is."""
    server.signal(signal.SIGHUP)
    generation: int = server.wait("canary_started", count)["generation"]
    return generation


def the_canary(server: Server, folder: Path) -> int:
    """Its pid."""
    (found,) = [
        each for each in json.loads(ctl(folder, "--json", "workers").stdout)["workers"] if each["generation"] > 1
    ]
    assert found["state"] == "canary"
    pid: int = found["pid"]
    return pid


def test_a_bad_release_is_rolled_back_and_everybody_hears_why(server: Server, folder: Path) -> None:
    before = server.workers()
    with Traffic(server, 9) as traffic:
        write(folder, BAD["raises on one method"][1])
        asked = subprocess.Popen(
            [sys.executable, "-m", "thriftserver", "ctl", "--control", "control", "reload"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stderr=subprocess.PIPE,
            text=True,
        )
        generation = server.wait("canary_started")["generation"]
        told = server.wait("reload_rolled_back")
        _, said = asked.communicate(timeout=60)
        server.wait("worker_exit", code=0)
        assert sample(server, "rollbacks_total") == 1
        assert sample(server, "canary") == 0
    assert (told["what"], told["generation"], told["confidence"], generation) == ("reload", 2, 0.999, 2)
    (finding,) = told["evidence"]
    assert (finding["what"], finding["text"]) == ("outcomes", told["reason"])
    assert finding["chance"] < 1e-4
    assert "Shop.name" in told["reason"]
    assert "undeclared" in told["reason"]
    assert (asked.returncode, told["reason"] in said) == (1, True)
    assert not traffic.dropped, traffic.answers
    assert traffic.answers["price 2"] > 0
    assert server.workers() == before
    assert not server.found("reloaded")


def test_a_harmless_release_goes_on(server: Server, folder: Path) -> None:
    with Traffic(server, 4) as traffic:  # two for each old worker: one of them gives up one
        write(folder, HARMLESS[4])
        started(server)
        status = json.loads(ctl(folder, "--json", "status").stdout)
        assert status["canary"]["generation"] == 2
        assert 0 < status["canary"]["seconds_left"] <= 4
        passed = server.wait("canary_passed")
        server.wait("reloaded", generation=2)
        server.wait("worker_exit", 2, code=0)
    assert passed["calls"] >= 50, "it has a connection"
    assert not traffic.dropped, traffic.answers
    assert "none" in next(line for line in ctl(folder, "status").stdout.splitlines() if line.startswith("canary"))


def test_a_canary_that_is_killed_is_rolled_back_at_once(server: Server, folder: Path) -> None:
    started(server)
    os.kill(the_canary(server, folder), signal.SIGKILL)
    told = server.wait("reload_rolled_back")
    assert [each["what"] for each in told["evidence"]] == ["crash"]
    assert told["calls"] == 0


def test_systemd_hears_of_the_trial_and_of_its_end(folder: Path) -> None:
    options = (*ARGS, "--canary", "1h", "--control", "control")
    with Systemd(str(folder / "notify")) as systemd, Server(*options, cwd=folder, env=systemd.env) as server:
        started(server)
        messages = systemd.wait(lambda message: "canary" in message.get("STATUS", ""))
        (told,) = [message for message in messages if "RELOADING" in message]
        assert "READY" not in told
        assert re.search(r"; canary: 3\d{3} s left$", messages[-1]["STATUS"])
        os.kill(the_canary(server, folder), signal.SIGKILL)
        (ready,) = [message for message in systemd.wait(lambda message: "READY" in message) if "READY" in message]
        assert ready["STATUS"].startswith("reload rolled back: it has crashed 1 times")
        assert systemd.wait(lambda message: "2/2" in message.get("STATUS", ""))[-1]["STATUS"].endswith(ready["STATUS"])


def test_a_release_that_does_not_start_is_rejected_as_ever(server: Server, folder: Path) -> None:
    write(folder, "    def setup(self):\n        raise RuntimeError('no database')\n")
    server.signal(signal.SIGHUP)
    assert "no database" in server.wait("reload_rejected")["reason"]
    assert not server.found("canary_started")


def test_another_reload_gives_a_trial_up_and_a_stop_ends_it(server: Server, folder: Path) -> None:
    asked = threading.Thread(target=ctl, args=(folder, "reload"))
    asked.start()
    server.wait("canary_started")
    canary = the_canary(server, folder)
    started(server, 2)
    server.wait("worker_exit", pid=canary, code=0)
    assert "another reload" in server.wait("reload_rejected")["reason"]
    asked.join()
    assert server.stop() == 0


def test_too_little_traffic_is_said_and_it_goes_on(folder: Path) -> None:
    with Server(*ARGS, "--canary", "500ms", cwd=folder) as server, Peer(server) as peer:
        server.signal(signal.SIGHUP)
        assert peer.ask(message("price", field(8, 1, i32(1)) + b"\0")) is not None
        told = server.wait("canary_inconclusive")
        server.wait("reloaded")
        assert told["calls"] + told["calls_beside"] <= 1
        assert told["sees_failures_from"] is None
        assert told["level"] == "warning"


def test_or_it_holds_until_there_is_enough(folder: Path) -> None:
    options = ("--canary", "500ms", "--canary-idle", "hold", "--control", "control")
    with Server(*ARGS, *options, cwd=folder) as server:
        write(folder, HARMLESS[1])
        server.signal(signal.SIGHUP)
        server.wait("canary_held")
        assert "waits for more calls" in ctl(folder, "status").stdout
        assert not server.found("reloaded")
        with Traffic(server, 9):
            server.wait("canary_passed")
            server.wait("reloaded")
        assert len(server.found("canary_held")) == 1


def test_the_new_configuration_says_whether_there_is_a_trial(folder: Path) -> None:
    (folder / "config.toml").write_text('canary = "1h"\n')
    with Server(*ARGS, "--config", "config.toml", cwd=folder) as server:
        started(server)
        (folder / "config.toml").write_text("")
        server.signal(signal.SIGHUP)
        server.wait("reloaded", generation=3)
