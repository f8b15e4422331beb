"""The package as others get it: its sources are whole; without a C compiler it installs, warns once, and works."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

import thriftserver
from tests.harness import PATIENCE, Server
from tests.support import ROOT

#: What the package is made of, compiled code and what Cython writes aside.
_SHIPPED = {".py", ".pyx", ".pxd", ".h", ".thrift", ".typed"}


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
    (tmp_path / "user.thrift").write_text('include "fb303.thrift"\nservice S extends fb303.FacebookService {}\n')
    subprocess.run([venv / "bin" / "thriftserver", "idl", "check", "user.thrift"], cwd=tmp_path, check=True)
    args = ("--idl", "idl/calculator.thrift", "--handler", "handlers.calculator:Calculator")
    with Server(*args, "--workers", "2", cwd=source, python=str(venv / "bin" / "python")) as server:
        assert len(server.found("codec_not_compiled")) == 1
        api = thriftserver.load(ROOT / "idl" / "calculator.thrift")
        with api.Calculator.Client(server.host, server.port, timeout=PATIENCE) as calculator:
            assert calculator.add(2, 3) == 5


@pytest.mark.slow
def test_the_source_distribution_is_whole(tmp_path: Path) -> None:
    source = tmp_path / "source"
    ignore = shutil.ignore_patterns(".*", "node_modules", "build", "*.so", "*.egg-info", "tests")
    shutil.copytree(ROOT, source, ignore=ignore)
    command = [sys.executable, "setup.py", "-q", "sdist", "--dist-dir", tmp_path]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    code = {str(path.relative_to(ROOT)) for path in (ROOT / "thriftserver").rglob("*") if path.suffix in _SHIPPED}
    assert "thriftserver/idl/std/fb303.thrift" in code
    assert code <= names
