"""The compiled codec under AddressSanitizer and UBSan: not one report over its soak and over its own tests."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT, need
from thriftserver.compiled import PROTOCOLS

#: Greenlets copy stacks about, which a sanitizer takes for writing past their ends.
_CHOSEN = "(native or both or any_order) and not fibers"

#: setup.py as it stands, but for the codec alone and with sanitizers.
_BUILD = """
import runpy, sys, setuptools

def setup(ext_modules, plain=setuptools.setup, **more):
    codec = [each for each in ext_modules if each.name.startswith("thriftserver.codec.")]
    for each in codec:
        each.optional = False
        each.extra_compile_args += ["-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined"]
        each.extra_link_args += ["-fsanitize=address,undefined"]
    plain(ext_modules=codec, **more)

setuptools.setup = setup
sys.argv[1:] = ["-q", "build_ext", "--inplace", "--force", "-j2"]
runpy.run_path("setup.py", run_name="__main__")
"""


def _library(name: str) -> str:
    return subprocess.run(
        ["gcc", f"-print-file-name={name}"], capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_sanitizer_complains(tmp_path: Path) -> None:
    need(importlib.util.find_spec("Cython"), "Cython (pip install Cython setuptools)")
    need(shutil.which("gcc"), "gcc")
    skipped = shutil.ignore_patterns("*.so", "node_modules", "__pycache__")
    for name in ("thriftserver", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=skipped)
    for name in ("setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / name)
    subprocess.run([sys.executable, "-c", _BUILD], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    assert len(list(tmp_path.glob("thriftserver/codec/*/_record.*.so"))) == len(PROTOCOLS)
    environment = os.environ | {
        "LD_PRELOAD": f"{_library('libasan.so')} {_library('libubsan.so')}",
        "ASAN_OPTIONS": "detect_leaks=0",  # the interpreter itself never frees all
        "UBSAN_OPTIONS": "halt_on_error=1",
        "PYTHONMALLOC": "malloc",
        "PYTHONPATH": str(tmp_path),
    }
    tests = ["tests/codec/test_messages.py", "tests/codec/test_hostile.py", "tests/codec/test_tally.py"]
    tests += ["tests/codec/test_liars.py", "tests/codec/test_sets.py", "tests/codec/test_crowd.py"]
    tests += ["tests/codec/test_protocols.py", "tests/codec/test_compact.py"]
    for command in (
        *(["-m", "tests.codec.soak", f"{20_000 // len(PROTOCOLS)}", protocol] for protocol in PROTOCOLS),
        ["-m", "pytest", "-n", "0", "-p", "no:cacheprovider", "-k", _CHOSEN, *tests],
    ):
        run = subprocess.run(
            [sys.executable, *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-5000:]
