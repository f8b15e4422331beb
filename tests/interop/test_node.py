"""Apache's Node library calls every method of the sample services and of Apache's test services."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.harness import PATIENCE, Server
from tests.interop import dialects
from tests.interop.conftest import DAMAGED
from tests.interop.counterparts import compile_idl, methods_of
from tests.support import NODE_MODULES, ROOT, need_node

NODE = ROOT / "tests" / "interop" / "node"


@pytest.fixture(autouse=True)
def _node() -> None:
    """Before any server is started."""
    need_node("thrift")


def run(
    script: str,
    server: Server,
    idl: Path,
    *more: str,
    dialect: str = "framed-binary",
    tls: dict[str, str] | None = None,
) -> Any:
    """What the script prints, after it has compared all it got with what it expected; ``tls`` are names of files."""
    generated = idl.parent / "generated.js"
    if not generated.exists():
        generated.mkdir()
        compile_idl("js:node,es6", idl, generated)
    done = subprocess.run(
        ["node", str(NODE / script), str(server.port), str(generated), dialect, *more],
        env=os.environ | {"NODE_PATH": str(NODE_MODULES), "TLS": json.dumps(tls) if tls else ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    if done.returncode != 0:
        pytest.fail(f"{script}: {done.stderr}", pytrace=False)
    return json.loads(done.stdout)


def test_calculator(calculator: Server, newer_idl: Path) -> None:
    result = run("calculator.js", calculator, newer_idl / "calculator.thrift")
    assert {*result["called"]} >= methods_of(ROOT / "idl" / "calculator.thrift", "Calculator")
    calculator.wait("note", text="among others")


def test_directory(directory: Server, newer_idl: Path) -> None:
    result = run("directory.js", directory, newer_idl / "directory.thrift", str(DAMAGED))
    assert {*result["called"]} >= methods_of(ROOT / "idl" / "directory.thrift", "Directory")
    assert result["worker"] in directory.workers()


@pytest.mark.parametrize("mode", ["bare", "multiplexed"])
@pytest.mark.parametrize("dialect", dialects.NODE)
def test_thrifttest(thrifttest: Server, without_uuid: Path, thrifttest_idl: Path, dialect: str, mode: str) -> None:
    result = run("thrifttest.js", thrifttest, without_uuid, mode, dialect=dialect)
    expected = methods_of(thrifttest_idl, "ThriftTest") - {"testUuid"}
    if mode == "multiplexed":
        expected |= methods_of(thrifttest_idl, "SecondService")
    assert {*result["called"]} >= expected
