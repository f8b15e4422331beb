"""One booted systemd for all tests of this folder, and services in it, each with a unit instance of its own."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import ROOT
from tests.systemd.sandbox import Sandbox
from tests.systemd.service import Service

#: What the shipped unit cannot have here: this machine's service user cannot read the tests' folders.
HERE = """
[Unit]
StartLimitIntervalSec=0
[Service]
DynamicUser=no
ProtectHome=no
PrivateTmp=no
WorkingDirectory={base}/%i
ReadWritePaths={base}
"""


NUMBERS = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.systemd)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("services")


@pytest.fixture(scope="session")
def machine(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    units = tmp_path_factory.mktemp("units")
    program = str(Path(sys.executable).with_name("thriftserver"))
    for kind in ("service", "socket"):
        text = (ROOT / "conf" / f"thriftserver@.{kind}").read_text()
        text = text.replace("/opt/thriftserver/bin/thriftserver", program).replace("/etc/thriftserver/", f"{base}/")
        (units / f"thriftserver@.{kind}").write_text(text)
    (units / "thriftserver@.service.d").mkdir()
    (units / "thriftserver@.service.d" / "here.conf").write_text(HERE.format(base=base))
    with Sandbox(units, [ROOT, base]) as machine:
        yield machine


@pytest.fixture
def service(machine: Sandbox, base: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Service]]:
    """``service(handler, config="...", unit="...")``: an instance that is not started yet, and gone after the test."""
    made: list[Service] = []

    def make(*args: str, **options: str) -> Service:
        name = f"{request.node.originalname.removeprefix('test_')[:20]}_{next(NUMBERS)}"
        made.append(Service(machine, base, name, *args, **options))
        return made[-1]

    yield make
    for each in made:
        each.end()
