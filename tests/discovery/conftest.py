"""What the tests of this folder share: a service to register, and each kind of registry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.shells import shell
from tests.discovery.programs import KINDS, Registry
from tests.server.services import write_demo

__all__ = ["folder", "registry", "shell"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_demo(tmp_path)


@pytest.fixture(scope="module", params=KINDS)
def registry(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """It starts with nothing, and is what tests leave it as: each uses a path of its own."""
    running = KINDS[request.param](tmp_path_factory.mktemp(request.param))
    running.start()
    try:
        yield running
    finally:
        running.kill()
