"""What the tests of this folder share: the demo service in a folder of its own, and both builds of the hot rooms."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.server.services import write_demo


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_demo(tmp_path)


@pytest.fixture(params=["native", "pure"])
def env(request: pytest.FixtureRequest) -> dict[str, str]:
    return {"THRIFTSERVER_PURE": "1" if request.param == "pure" else ""}
