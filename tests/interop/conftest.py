"""Servers for the samples, each with two workers and, where there is one, a database of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from handlers.store import Store
from tests.codec.conftest import codec  # noqa: F401 - a fixture: over the readable source and the compiled one
from tests.harness import Server
from tests.interop.counterparts import write_newer_idl
from tests.support import SHARED, need

#: A user whose profile is no Thrift. Below zero, so that no page of a search has it.
DAMAGED = -1


@pytest.fixture
def newer_idl(tmp_path: Path) -> Path:
    """A folder with the IDL files of clients that are one release ahead."""
    directory = tmp_path / "idl"
    directory.mkdir()
    return write_newer_idl(directory)


@pytest.fixture
def calculator() -> Iterator[Server]:
    with Server("--idl", "idl/calculator.thrift", "--handler", "handlers.calculator:Calculator", "-w", "2") as server:
        yield server


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Server]:
    path = tmp_path / "directory.db"
    Store(str(path)).close()
    with sqlite3.connect(path) as db:
        db.execute(
            "INSERT INTO users (id, login, text, role, version, created, profile) VALUES (?, '-', '-', 0, 1, 0, ?)",
            (DAMAGED, b"no Thrift"),
        )
    db.close()
    args = ("--idl", "idl/directory.thrift", "--handler", "handlers.directory:Directory", "-w", "2")
    with Server(*args, env={"DIRECTORY_DB": str(path)}) as server:
        yield server


@pytest.fixture(scope="module")
def thrifttest_idl() -> Path:
    path = SHARED / "interop" / "ThriftTest.thrift"
    need(path.exists(), "Apache's ThriftTest.thrift (in shared/interop beside the repository)")
    return path


@pytest.fixture(scope="module")
def without_uuid(thrifttest_idl: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy for compilers before 0.18, which know no uuid; testUuid is called in another way."""
    text = thrifttest_idl.read_text(encoding="utf-8")
    for line in ("  5: uuid uuid_field\n", "  uuid       testUuid(1: uuid thing),\n"):
        assert text.count(line) == 1, line
        text = text.replace(line, "")
    path = tmp_path_factory.mktemp("idl") / thrifttest_idl.name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def thrifttest(thrifttest_idl: Path) -> Iterator[Server]:
    """One server, on one port, for all dialects that a module of tests speaks."""
    here = "tests.interop.thrifttest_handler"
    handlers = ("--handler", f"ThriftTest={here}:ThriftTest", "--handler", f"SecondService={here}:Second")
    with Server("--idl", str(thrifttest_idl), *handlers, "--workers", "2", "--http") as server:
        yield server
