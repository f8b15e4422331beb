"""Commands that write where there is no room: one message that says where, and nothing half made."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.disk import mounted
from tests.harness import PATIENCE
from tests.support import ROOT

#: The command after it fills its disk, and what files there are in the end.
SCRIPT = 'cat /dev/zero 2>/dev/null >disk/filling; "$@"; code=$?; find disk -type f; exit $code'


@pytest.mark.parametrize(
    ("command", "where"),
    [(("new", "disk/shop"), "disk/shop"), (("generate", "shop.thrift", "-o", "disk"), "disk/shop/")],
)
def test_nothing_is_half_made(tmp_path: Path, command: tuple[str, ...], where: str) -> None:
    (tmp_path / "shop.thrift").write_text("struct Item { 1: i32 id }")
    done = subprocess.run(
        [*mounted(tmp_path, "size=8k"), "sh", "-c", SCRIPT, "sh", sys.executable, "-m", "thriftserver", *command],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {where}")
    assert done.stderr.endswith(": No space left on device: no space is left where it would be written\n")
    assert done.stdout == "disk/filling\n"
