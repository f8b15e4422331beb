"""The package as others get it: its sources are whole; without a C compiler it installs, warns once, and works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from configparser import ConfigParser
from pathlib import Path

import pytest

import thriftserver
from tests.harness import PATIENCE, Server
from tests.support import NODE_MODULES, ROOT


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


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source distribution, as it comes out of its archive."""
    source, out = tmp_path_factory.mktemp("checkout") / "source", tmp_path_factory.mktemp("sdist")
    ignore = shutil.ignore_patterns(
        ".git", ".venv*", ".*_cache", ".hypothesis", "__pycache__", "build", "*.so", "*.egg-info"
    )
    shutil.copytree(ROOT, source, ignore=ignore, symlinks=True)
    command = [sys.executable, "setup.py", "-q", "sdist", "--dist-dir", out]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (archive,) = out.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(out, filter="data")
    (tree,) = (path for path in out.iterdir() if path.is_dir())
    return tree


@pytest.mark.slow
def test_the_source_distribution_is_whole(unpacked: Path) -> None:
    for folder in ("thriftserver", "tests", "idl", "handlers", "conf", "docs", "bench", ".ci"):
        here, there = ROOT / folder, unpacked / folder
        wanted = {
            str(path.relative_to(here))
            for path in here.rglob("*")
            if path.is_file() and not {"node_modules", "__pycache__", "build"} & set(path.parts) and _is_source(path)
        }
        assert wanted
        assert wanted <= {str(path.relative_to(there)) for path in there.rglob("*")}
    assert not list(unpacked.rglob("*.so"))
    assert not list(unpacked.rglob("node_modules"))


def _is_source(path: Path) -> bool:
    """Compiled code, what Cython writes and databases of a trial aside."""
    return path.suffix not in {".so", ".pyc", ".db"} and not (path.suffix == ".c" and "thriftserver" in path.parts[-3:])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_source_distribution_tests_itself(unpacked: Path, tmp_path: Path) -> None:
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    bare = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHONPATH", "PYTEST"))}
    no_compiler = bare | {"CC": "/nonexistent/cc", "CXX": "/nonexistent/c++"}
    subprocess.run([python, "-m", "pip", "install", "-q", ".[test]"], cwd=unpacked, check=True, env=no_compiler)
    # What can be tested without compiled code, which would take minutes to build.
    rooms = ("handlers", "docs", "idl/test_golden.py", "schema", "test_architecture.py", "test_config.py")
    command = [python, "-m", "pytest", "-n", "2", *(f"tests/{room}" for room in rooms)]
    modules = unpacked / NODE_MODULES.relative_to(ROOT)  # as npm installs them there
    modules.symlink_to(NODE_MODULES)
    try:
        done = subprocess.run(command, cwd=unpacked, env=bare, capture_output=True, text=True, check=False)
    finally:
        modules.unlink()
    assert done.returncode == 0, done.stdout


def test_the_unit_s_documentation_is_the_project_s() -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    home = setup["metadata"]["url"]
    links = [line.split(" = ") for line in setup["metadata"]["project_urls"].strip().splitlines()]
    assert {"Documentation", "Changelog", "Issues"} <= {name for name, _ in links}
    assert all(link.startswith(f"{home}/") for _, link in links)
    (documentation,) = re.findall(
        r"^Documentation=(.+)$", (ROOT / "conf/thriftserver@.service").read_text(), re.MULTILINE
    )
    assert documentation.startswith(f"{home}/")
    assert (ROOT / documentation.partition("/blob/main/")[2]).is_file()
