"""``thriftserver ctl`` against the control socket ``control`` of a folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.harness import PATIENCE
from tests.support import ROOT


def ctl(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "thriftserver", "ctl", "--control", str(folder / "control"), *args]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)
