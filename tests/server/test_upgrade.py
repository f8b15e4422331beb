"""USR2: a new master from disk takes the sockets, the connections and the names of the old one, or changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness import Server
from tests.load import Load
from tests.server.services import ARGS, write_demo


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_demo(tmp_path)


def upgrade_often(folder: Path, times: int) -> None:
    with Server(*ARGS, "-w", "2", cwd=folder) as server:
        with Load(server, 16) as load:
            for _ in range(times):
                server.upgrade()
        assert load.clean(), load
        assert load.calls > 100
        assert len(server.workers()) == 2
        assert server.stop() == 0


def test_upgrades_under_load_lose_nothing(folder: Path) -> None:
    upgrade_often(folder, 3)
