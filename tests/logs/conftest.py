"""The service of this folder, in a directory of the test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.logs.service import write_speaker


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_speaker(tmp_path)
