"""What the tests of this folder share: a service and an authority in a folder of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.client.shells import run, shell
from tests.server.services import write_demo
from tests.tls.pki import Pki

__all__ = ["folder", "pki", "run", "shell"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_demo(tmp_path)


@pytest.fixture
def pki(folder: Path) -> Pki:
    return Pki(folder)
