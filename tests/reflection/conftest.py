"""The service of ``bank`` in a folder of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reflection.bank import write_bank


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_bank(tmp_path)
