"""The shop in a folder of its own, served with a trial of a few seconds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.canary.releases import ARGS, write
from tests.harness import Server

#: Of the fast tests: bad releases that show at once need no more, and harmless ones are through soon.
SHORT = "4s"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path)


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    options = ("--canary", SHORT, "--control", "control", "--admin", "127.0.0.1:0")
    with Server(*ARGS, *options, cwd=folder) as it:
        yield it
