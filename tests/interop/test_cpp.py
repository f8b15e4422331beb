"""Apache's C++ library calls every method of Apache's test services in every dialect that it has."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.harness import PATIENCE, Server
from tests.interop import dialects
from tests.interop.counterparts import compile_cpp, methods_of
from tests.support import ROOT

SOURCE = ROOT / "tests" / "interop" / "cpp" / "thrifttest.cpp"


@pytest.fixture(scope="module")
def program(without_uuid: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client, compiled."""
    return compile_cpp(SOURCE, without_uuid, tmp_path_factory.mktemp("cpp"), ("-lthriftz", "-lthrift", "-lz"))


def test_every_method(program: Path, thrifttest: Server, thrifttest_idl: Path) -> None:
    """One test for all dialects: it is compiling that takes long, and each of pytest's processes would do it."""
    expected = methods_of(thrifttest_idl, "ThriftTest") - {"testUuid"} | methods_of(thrifttest_idl, "SecondService")
    wrong = []
    for dialect in dialects.CPP:
        for mode in ([], ["multiplexed"]):
            done = subprocess.run(
                [str(program), thrifttest.host, str(thrifttest.port), *dialect.split("-"), *mode],
                capture_output=True,
                text=True,
                check=False,
                timeout=PATIENCE,
            )
            if done.returncode != 0 or {*done.stdout.split()} != expected:
                wrong.append(f"{dialect} {' '.join(mode)}: exit {done.returncode}, {done.stderr or done.stdout}")
    assert not wrong, "\n".join(wrong)
