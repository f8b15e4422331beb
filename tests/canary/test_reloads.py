"""HUP with ``--canary``: what is worse is rolled back by itself, what is not goes on."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.canary.releases import ARGS, BAD, HARMLESS, write
from tests.canary.traffic import Traffic
from tests.harness import Server

#: Seconds of a trial.
SHORT = "3s"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(*ARGS, "--canary", SHORT, "--control", "control", cwd=write(tmp_path)) as it:
        yield it


def refused(server: Server, folder: Path, name: str, count: int) -> None:
    """A bad release, and that it was rolled back for what it is."""
    what, change = BAD[name]
    write(folder, change)
    server.signal(signal.SIGHUP)
    told = server.wait("reload_rolled_back", count)
    assert what in {each["what"] for each in told["evidence"]}, (name, told)
    assert all(each["text"] in told["reason"] for each in told["evidence"])
    canary = server.found("canary_started")[-1]["generation"]
    assert (told["what"], told["generation"], told["confidence"]) == ("reload", canary, 0.999)


def test_a_bad_release_is_rolled_back_and_no_connection_drops(server: Server, tmp_path: Path) -> None:
    before = server.workers()
    with Traffic(server, 9) as traffic:
        refused(server, tmp_path, "raises on one method", 1)
        server.wait("worker_exit", generation=2) if False else server.wait("worker_exit")
        assert server.workers() == before
        refused(server, tmp_path, "is twice as slow", 2)
    assert not traffic.dropped, traffic.answers
    assert not server.found("reloaded")


def test_a_harmless_release_goes_on(server: Server, tmp_path: Path) -> None:
    with Traffic(server, 9) as traffic:
        write(tmp_path, HARMLESS[4])
        server.signal(signal.SIGHUP)
        passed = server.wait("canary_passed")
        server.wait("reloaded", generation=2)
    assert passed["sees_failures_from"] <= 0.1 <= passed["calls"]
    assert not traffic.dropped, traffic.answers
