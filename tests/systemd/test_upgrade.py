"""Hot upgrades of a unit: systemd follows the new master, which keeps for the next one what the old one kept."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.load import Load, Newcomers
from tests.systemd.service import CONFIG, Service

Make = Callable[..., Service]


def upgrade(it: Service) -> None:
    """Ask for a new master, and wait until systemd calls it the main process."""
    before = it.pid
    it.machine.run("systemctl", "kill", "--kill-who=main", "--signal=USR2", it.unit)
    it.eventually(lambda: it.pid not in (0, before), "a new main process")
    it.eventually(lambda: not it.lives(before), "the end of the old master")


@pytest.mark.timeout(300)
def test_upgrades_and_restarts_in_turn_lose_nothing(service: Make) -> None:
    it = service(unit="[Service]\nWatchdogSec=4s\n")
    it.systemctl("start")
    with Newcomers(it) as newcomers:
        with Load(it, 16) as load:
            for _ in range(3):
                upgrade(it)
                calls = load.calls
                it.eventually(lambda calls=calls: load.calls > calls + 100, "calls")  # type: ignore[misc]
                it.systemctl("restart")
            assert it.systemctl("reload").returncode == 0
        assert load.clean(), load
    assert not newcomers.failures
    assert not it.found("upgrade_failed")
    assert it.show("NRestarts") == "0", "the watchdog of the new master is fed"
    assert it.show("NFileDescriptorStore") == "1", "the listener alone"


def test_an_upgrade_changes_what_is_in_the_store(service: Make) -> None:
    it = service(config=CONFIG.replace('"127.0.0.1:0"', '"127.0.0.1:0", "unix:old"'))
    it.systemctl("start")
    assert it.show("NFileDescriptorStore") == "2"
    port = it.port
    it.configure(CONFIG.replace('"127.0.0.1:0"', '"127.0.0.1:0", "unix:new", "unix:newer"'))
    upgrade(it)
    it.eventually(lambda: it.show("NFileDescriptorStore") == "3", "another store")
    assert [each["address"] for each in it.found("socket_unused")] == ["unix:old"]
    it.systemctl("restart")
    assert it.port == port
    assert it.show("NFileDescriptorStore") == "3"


def test_an_upgrade_that_fails_leaves_the_unit_as_it_was(service: Make) -> None:
    it = service()
    it.systemctl("start")
    before = it.pid
    with Load(it, 4) as load:
        (it.folder / "demo.py").write_text("def broken(:\n")
        it.machine.run("systemctl", "kill", "--kill-who=main", "--signal=USR2", it.unit)
        it.eventually(lambda: bool(it.found("upgrade_failed")), "word of the failure")
        assert it.pid == before
        assert it.show("ActiveState") == "active"
    assert load.clean(), load
