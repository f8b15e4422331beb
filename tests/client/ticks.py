"""Signals that come again and again while something waits."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

#: Seconds from one to the next.
PACE = 0.05


@contextmanager
def ticks(tell: Callable[[int], None]) -> Iterator[None]:
    """Signals come again and again; ``tell`` hears how many there were, from the second on: something waits then."""
    count = 0

    def heard(*_: object) -> None:
        nonlocal count
        count += 1
        if count > 1:
            tell(count - 1)

    def run() -> None:
        while not over.wait(PACE):
            signal.pthread_kill(here, signal.SIGUSR1)

    over, here = threading.Event(), threading.get_ident()
    sender = threading.Thread(target=run)
    before = signal.signal(signal.SIGUSR1, heard)
    sender.start()
    try:
        yield
    finally:
        over.set()
        sender.join()
        signal.signal(signal.SIGUSR1, before)


class Interrupted(BaseException):
    """What a handler of a signal raises."""
