"""What a worker is told: to end, and how; to reopen its log; to say what it is doing. Waits for the end."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

from gevent import get_hub
from gevent.event import Event


class End(Enum):
    """How a worker ends."""

    CLOSE = "told to stop"
    RETIRE = "told to retire"
    HURRY = "told to stop at once"
    ORPHAN = "the master is gone"


_SIGNALS = {signal.SIGTERM: End.CLOSE, signal.SIGUSR2: End.RETIRE, signal.SIGQUIT: End.HURRY}


class Lifetime:
    """``wait`` returns how to end, when a signal says so or the lifeline reads end-of-file: the master is gone.

    ``also`` is what other signals do, in the loop.
    """

    def __init__(self, lifeline: int, also: Mapping[int, Callable[[], None]]) -> None:
        loop = get_hub().loop
        self.end: End | None = None
        self._over = Event()
        self._again: Callable[[End], None] | None = None
        self._watchers: list[Any] = []
        for number, how in _SIGNALS.items():
            self._watch(loop.signal(number), self._end, how)
        for other, action in also.items():
            self._watch(loop.signal(other), action)
        self._lifeline = loop.io(lifeline, 1)
        self._lifeline.start(self._end, End.ORPHAN)

    def _watch(self, watcher: Any, action: Callable[..., None], *args: object) -> None:
        watcher.start(action, *args)
        self._watchers.append(watcher)

    def wait(self) -> End:
        """Return when the worker must end, saying how."""
        self._over.wait()
        assert self.end is not None
        return self.end

    def then(self, again: Callable[[End], None]) -> None:
        """What to do when the worker, which is ending already, is told to end in another way."""
        self._again = again

    def _end(self, how: End) -> None:
        self._lifeline.stop()  # end-of-file stays readable for ever
        if self.end is None:
            self.end = how
            self._over.set()
        elif self._again is not None and how is not self.end:
            self._again(how)
