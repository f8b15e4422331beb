"""Refuses to test compiled code that is older than its sources: it would be the old code that passes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import ROOT


def pytest_sessionstart(session: pytest.Session) -> None:
    room = ROOT / "thriftserver" / "codec"
    compiled = list(room.glob("*.so"))
    sources = [path for pattern in ("*.pyx", "*.pxd", "*.h") for path in room.glob(pattern)]
    sources += [room / name for name in ("node.py", "walk.py", "message.py")]
    if compiled and min(map(_changed, compiled)) < max(map(_changed, sources)):
        pytest.exit("the codec has changed since it was compiled: python setup.py build_ext --inplace --force", 2)


def _changed(path: Path) -> float:
    return path.stat().st_mtime
