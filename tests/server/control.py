"""``thriftserver ctl`` as tests ask it, with the socket ``control`` in the server's folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.harness import run


def ctl(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    return run(folder, "ctl", "--control", "control", *args)
