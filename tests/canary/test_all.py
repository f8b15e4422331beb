"""Each kind of bad release is caught, by HUP and by USR2, and fifty harmless ones go through, under traffic."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.canary.releases import ARGS, BAD, HARMLESS, write
from tests.canary.traffic import Traffic
from tests.harness import Server

pytestmark = [pytest.mark.promises, pytest.mark.timeout(900)]

#: A tenth of what people would take, which is enough for what these do.
TRIAL = ("--canary", "6s", "--graceful-timeout", "2s")


@pytest.mark.parametrize("how", [signal.SIGHUP, signal.SIGUSR2])
@pytest.mark.parametrize("name", BAD)
def test_every_bad_release_is_rolled_back(tmp_path: Path, name: str, how: signal.Signals) -> None:
    what, change = BAD[name]
    with Server(*ARGS, *TRIAL, cwd=write(tmp_path)) as server, Traffic(server, 12) as traffic:
        before = server.workers()
        write(tmp_path, change)
        server.signal(how)
        told = server.wait("reload_rolled_back")
        assert what in {each["what"] for each in told["evidence"]}, told
        assert set(before) <= set(server.workers()), "the old ones have never left"
        if name not in ("crashes after a second", "never answers"):
            assert not traffic.dropped, traffic.answers


def test_fifty_harmless_releases_go_through(tmp_path: Path) -> None:
    with Server(*ARGS, "--canary", "3s", cwd=write(tmp_path)) as server, Traffic(server, 12) as traffic:
        for number in range(1, 51):
            write(tmp_path, HARMLESS[number % len(HARMLESS)])
            server.signal(signal.SIGHUP)
            server.until(
                lambda number=number: len(server.found("reloaded")) >= number or server.found("reload_rolled_back"),
                f"verdict {number}",
            )
            assert not server.found("reload_rolled_back"), (number, server.found("reload_rolled_back")[0]["reason"])
            server.wait("worker_exit", 2 * number, code=0)  # what is replaced until then is of the files of then
    assert not traffic.dropped, traffic.answers
    assert len(server.found("canary_passed")) >= 45, "some may have too few calls, not many"


def test_harmless_upgrades_go_through(tmp_path: Path) -> None:
    with Server(*ARGS, "--canary", "3s", cwd=write(tmp_path)) as server, Traffic(server, 12) as traffic:
        for number in range(5):
            write(tmp_path, HARMLESS[number])
            server.upgrade()
    assert not traffic.dropped, traffic.answers
