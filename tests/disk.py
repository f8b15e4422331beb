"""A disk that is soon full: a tmpfs in a mount namespace of its own, which nobody has but the processes of a test."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from tests.support import need

MOUNT = 'mount -t tmpfs -o "$1" tmpfs "$0" && shift && exec "$@"'


def mounted(folder: Path, options: str) -> tuple[str, ...]:
    """What to put before a command that is to have ``folder``/disk; ``options`` are a tmpfs's, ``size=64k``."""
    need(os.geteuid() == 0, "to be run by root")
    disk = folder / "disk"
    disk.mkdir(exist_ok=True)
    return ("unshare", "--mount", "--propagation", "private", "sh", "-c", MOUNT, str(disk), options)


class Disk:
    """That of a process, seen from outside."""

    def __init__(self, pid: int, folder: Path) -> None:
        self.path = Path(f"/proc/{pid}/root{folder.resolve()}/disk")
        self._filling = self.path / "filling"

    def fill(self) -> None:
        """Until nothing more can be written."""
        with self._filling.open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))

    def free(self) -> None:
        self._filling.unlink()
