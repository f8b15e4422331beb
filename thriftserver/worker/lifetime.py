"""Why a worker ends: it was told to, or its master is gone. Waits for either, and does nothing about it."""

from __future__ import annotations

import signal
from typing import Any

from gevent import get_hub
from gevent.event import Event


class Lifetime:
    """TERM ends gracefully, QUIT in a hurry; end-of-file on the lifeline says that the master is gone."""

    def __init__(self, lifeline: int) -> None:
        loop = get_hub().loop
        self.hurry = False
        self._why = ""
        self._over = Event()
        self._watchers: list[Any] = [loop.signal(signal.SIGTERM), loop.signal(signal.SIGQUIT), loop.io(lifeline, 1)]
        term, quit_, gone = self._watchers
        term.start(self._end, "told to stop", False)
        quit_.start(self._end, "told to stop at once", True)
        gone.start(self._end, "the master is gone", False)

    def wait(self) -> str:
        """Return when the worker must end, saying why."""
        self._over.wait()
        return self._why

    def _end(self, why: str, hurry: bool) -> None:
        self._why = self._why or why
        self.hurry = self.hurry or hurry
        self._watchers[2].stop()  # end-of-file stays readable for ever
        self._over.set()
