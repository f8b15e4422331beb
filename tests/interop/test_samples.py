"""Clients of every Python library call every method of the sample services."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Server
from tests.interop import scenarios
from tests.interop.conftest import DAMAGED
from tests.interop.counterparts import LIBRARIES, methods_of
from tests.support import ROOT

IDL = ROOT / "idl"


@pytest.fixture(params=list(LIBRARIES))
def library(request: pytest.FixtureRequest, newer_idl: Path, tmp_path: Path) -> Iterator[Any]:
    made: list[Any] = []

    def make(name: str) -> Any:
        made.append(LIBRARIES[request.param](newer_idl, name, tmp_path / "generated"))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_calculator(library: Any, calculator: Server) -> None:
    counterpart = library("calculator")
    with counterpart.client(calculator.host, calculator.port) as client:
        scenarios.calculator(client, counterpart.types)
    assert client.called >= methods_of(IDL / "calculator.thrift", "Calculator")
    calculator.wait("calculated", comment=scenarios.UNICODE, result=0.25)
    for text in (scenarios.UNICODE, scenarios.CONTROLS, ""):
        calculator.wait("note", text=text)


def test_directory(library: Any, directory: Server) -> None:
    counterpart = library("directory")
    address = (directory.host, directory.port)
    with counterpart.client(*address) as client, counterpart.client(*address) as other:
        scenarios.directory(client, other, counterpart.types, DAMAGED)
        assert client.about().worker in directory.workers()
    assert client.called >= methods_of(IDL / "directory.thrift", "Directory")
    failure = directory.wait("handler_failed", method="get", outcome="undeclared")
    assert "WireError" in failure["traceback"]
