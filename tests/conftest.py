"""Refuses to test compiled code that is older than its sources: it would be the old code that passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import ROOT
from thriftserver.compiled import TWINS


def pytest_sessionstart(session: pytest.Session) -> None:
    house = ROOT / "thriftserver"
    compiled = list(house.rglob("*.so"))
    sources = [
        path for pattern in ("*.pyx", "*.pxd", "*.pxi", "*.h", "codec/walk/*.py") for path in house.rglob(pattern)
    ]
    sources += filter(Path.exists, (house / f"{name.replace('.', '/')}.py" for name in TWINS))
    if compiled and min(map(_changed, compiled)) < max(map(_changed, sources)):
        pytest.exit("sources have changed since they were compiled: python setup.py build_ext --inplace --force", 2)


def _changed(path: Path) -> float:
    return path.stat().st_mtime
