"""What ``--reload`` watches: the files that workers have read, and the configuration; polled, without a dependency.

It finds changes; what follows is an ordinary reload. It reads no file and knows no worker.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice

from thriftserver.master.events import News, State

#: Seconds between two looks. A change counts at the look after it, with what has changed by then: saving takes time.
PERIOD = 0.5
#: Files that are watched: more than anybody edits, and an end to what a worker may say.
MOST = 20_000
#: What a file that nobody has read yet must be to matter.
SOURCES = (".py", ".thrift")

Stamp = tuple[int, int, int] | None


class Changes:
    """``due`` is when to look again. As an observer of the master it hears how reloads end.

    While the last reload is a rejected one, files beside those that are known count too: a new module that does not
    import, an included file that was missing.
    """

    def __init__(self, files: Iterable[str]) -> None:
        self.due = 0.0
        self._known: dict[str, Stamp] = {}
        self._beside: dict[str, Stamp] = {}
        """As it was when the last reload began."""
        self._rejected = False
        self._unrest: set[str] = set()
        self.learn(files)

    def learn(self, files: Iterable[str]) -> list[str]:
        """Watch these too; those that were not watched before."""
        room = MOST - len(self._known)
        fresh = {path: stamp(path) for path in islice((path for path in files if path not in self._known), room)}
        self._known |= fresh
        return list(fresh)

    def look(self, now: float) -> list[str]:
        """The files that have changed, a look ago and since."""
        if now < self.due:
            return []
        self.due = now + PERIOD
        changed = _renew(self._known, {path: stamp(path) for path in self._known})
        if self._rejected:
            changed |= _renew(self._beside, dict(self._neighbours()))
        if not self._unrest:
            self._unrest = changed
            return []
        found, self._unrest = sorted(self._unrest | changed), set()
        return found

    def _neighbours(self) -> Iterator[tuple[str, Stamp]]:
        for folder in {os.path.dirname(path) or "." for path in self._known}:
            try:
                names = os.listdir(folder)
            except OSError:
                continue
            for path in (os.path.join(folder, name) for name in names if name.endswith(SOURCES)):
                if path not in self._known:
                    yield path, stamp(path)

    def announce(self, news: News, text: str) -> None:
        if news is News.RELOADING:
            self._beside = dict(self._neighbours())
        elif news in (News.REJECTED, News.RELOADED):
            self._rejected = news is News.REJECTED

    def tick(self, state: State, now: float) -> None:
        """Nothing to do: the master asks, because what is found is an event."""


def _renew(stamps: dict[str, Stamp], now: dict[str, Stamp]) -> set[str]:
    """Take over the stamps of ``now``; which are others than before."""
    changed = {path for path in stamps.keys() | now.keys() if stamps.get(path) != now.get(path)}
    stamps.clear()
    stamps.update(now)
    return changed


def stamp(path: str) -> Stamp:
    """What changes with a file; None while there is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):  # or a name with a zero byte in it
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
