"""A server that all tests of a file ask, and commands as people type them."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness import Server, run
from tests.reflection.bank import BOTH, write_bank

#: Runs ``thriftserver`` with these words and this environment, in the folder of the IDL.
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bank(tmp_path_factory.mktemp("bank"))


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with Server(*BOTH, cwd=folder) as server:
        yield server


@pytest.fixture(scope="module")
def address(server: Server) -> str:
    return f"{server.host}:{server.port}"


@pytest.fixture
def command(folder: Path) -> Command:
    return lambda *words, **env: run(folder, *words, **env)
