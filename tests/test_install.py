"""The package on a machine without a C compiler: it installs, warns once, and works."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import thriftserver
from tests.harness import PATIENCE, Server
from tests.support import ROOT


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_without_a_compiler(tmp_path: Path) -> None:
    source, venv = tmp_path / "source", tmp_path / "venv"
    ignore = shutil.ignore_patterns(".*", "node_modules", "build", "*.so", "*.egg-info", "tests")
    shutil.copytree(ROOT, source, ignore=ignore)
    subprocess.run([sys.executable, "-m", "venv", venv], check=True)
    no_compiler = os.environ | {"CC": "/nonexistent/cc", "CXX": "/nonexistent/c++"}
    subprocess.run([venv / "bin" / "pip", "install", "-q", source], check=True, env=no_compiler)
    assert not list((venv / "lib").glob("python*/site-packages/thriftserver/**/*.so"))
    args = ("--idl", "idl/calculator.thrift", "--handler", "handlers.calculator:Calculator")
    with Server(*args, "--workers", "2", cwd=source, python=str(venv / "bin" / "python")) as server:
        assert len(server.found("codec_not_compiled")) == 1
        api = thriftserver.load(ROOT / "idl" / "calculator.thrift")
        with api.Calculator.Client(server.host, server.port, timeout=PATIENCE) as calculator:
            assert calculator.add(2, 3) == 5
