"""A reader's directory in which this checkout is installed, and addresses at which several may follow one page."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import ROOT


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What README.md calls a clone, after its first command: the samples and ``.venv``."""
    for name in ("idl", "handlers"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / ".venv").symlink_to(sys.prefix)
    return tmp_path


@pytest.fixture
def elsewhere() -> Callable[[str], str]:
    """Gives a text an address of the loopback network that is this process's own, so that its ports are free."""
    pid = os.getpid()
    own = f"127.{64 + (pid >> 16) % 128}.{pid >> 8 & 255}.{pid & 255 or 1}"
    return lambda text: text.replace("127.0.0.1", own)


@pytest.fixture
def installed() -> dict[str, str]:
    """The environment of somebody who has activated a virtual environment with this checkout in it."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return {"PATH": path, "PYTHONPATH": str(ROOT), "THRIFTSERVER_LOG_FORMAT": "json"}
