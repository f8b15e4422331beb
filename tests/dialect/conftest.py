"""A service that tells what its calls were packed in, and Apache's client for it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.harness import Server
from tests.interop.counterparts import compile_idl, importable
from tests.support import ROOT

IDL = ROOT / "tests" / "dialect" / "echo.thrift"
#: Of the servers below.
ORIGIN = "https://example.com"
MAX_FRAME = 1 << 20


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The module of the service, as Apache's compiler makes it."""
    generated = tmp_path_factory.mktemp("generated")
    compile_idl("py", IDL, generated)
    with importable(generated):
        yield importlib.import_module("echo.Echo")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with echo_server("--http", "--http-cors", ORIGIN) as server:
        yield server


def echo_server(*args: str) -> Server:
    handler = ("--idl", str(IDL), "--handler", "tests.dialect.echo_handler:Echo")
    return Server(*handler, "--max-frame", str(MAX_FRAME), *args)
