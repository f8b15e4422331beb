"""Which files a worker has read that somebody may be editing: modules of the handler, and IDL. For ``--reload``.

It tells the master; what has become of a file, the master finds out.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from typing import Any

from gevent import get_hub

import thriftserver
from thriftserver.assignment import IMPORTED, Report
from thriftserver.idl.loader import Loader

#: Seconds between two looks: handlers may import at any time.
PERIOD = 1.0
#: Files in one report.
TOGETHER = 40
#: Where nobody edits: what comes with Python, what is installed, and our own files.
_SETTLED = tuple(
    os.path.realpath(folder) + os.sep
    for folder in {
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        os.path.dirname(thriftserver.__file__),
    }
)
_INSTALLED = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


class Imports:
    """Reports the files there are by now, then what is new, through ``report``."""

    def __init__(self, loader: Loader, report: int) -> None:
        self._loader = loader
        self._report = report
        self._told: set[str] = set()
        self._timer: Any = get_hub().loop.timer(PERIOD, PERIOD)

    def start(self) -> None:
        self._tell()
        self._timer.start(self._tell)

    def _tell(self) -> None:
        fresh = {*_modules(), *filter(_edited, self._loader.files())} - self._told
        if fresh:
            self._told |= fresh
            for some in _parts(sorted(fresh)):
                Report(IMPORTED, message="\n".join(some)).send(self._report)


def _parts(paths: list[str]) -> Iterator[list[str]]:
    """As many at a time as a report has room for."""
    return (paths[start : start + TOGETHER] for start in range(0, len(paths), TOGETHER))


def _modules() -> Iterator[str]:
    for module in list(sys.modules.values()):
        path = getattr(module, "__dict__", {}).get("__file__")
        if isinstance(path, str) and _edited(path := os.path.realpath(path)):
            yield path


def _edited(path: str) -> bool:
    return not path.startswith(_SETTLED) and not any(part in path for part in _INSTALLED)
