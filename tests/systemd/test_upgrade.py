"""USR2 under systemd: the unit gets another main process, which has the store from then on."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.load import Load, Newcomers
from tests.systemd.service import CONFIG, Service


@pytest.mark.timeout(300)
def test_upgrades_and_restarts_under_load_lose_nothing(service: Callable[..., Service]) -> None:
    it = service()
    it.systemctl("start")
    with Newcomers(it) as newcomers:
        with Load(it, 16) as load:
            for _ in range(2):
                before = it.pid
                it.machine.run("systemctl", "kill", "--kill-who=main", "--signal=USR2", it.unit)
                it.eventually(lambda before=before: it.pid != before, "another main process")  # type: ignore[misc]
                it.eventually(lambda: "2/2 workers" in it.show("StatusText"), "its status")
                calls = load.calls
                it.systemctl("restart")
                it.eventually(lambda calls=calls: load.calls > calls + 100, "calls")  # type: ignore[misc]
        assert load.clean(), load
    assert not newcomers.failures
    assert it.show("NFileDescriptorStore") == "1"
    assert it.show("NRestarts") == "0"


def test_an_upgrade_changes_what_is_in_the_store(service: Callable[..., Service]) -> None:
    it = service(config=CONFIG.replace('"127.0.0.1:0"', '"127.0.0.1:0", "unix:old"'))
    it.systemctl("start")
    assert it.show("NFileDescriptorStore") == "2"
    before, port = it.pid, it.port
    it.configure(CONFIG.replace('"127.0.0.1:0"', '"127.0.0.1:0", "unix:new", "unix:newer"'))
    it.machine.run("systemctl", "kill", "--kill-who=main", "--signal=USR2", it.unit)
    it.eventually(lambda: it.pid != before, "another main process")
    it.eventually(lambda: it.show("NFileDescriptorStore") == "3", "another store")
    it.systemctl("restart")
    assert it.port == port
    assert it.show("NFileDescriptorStore") == "3"
