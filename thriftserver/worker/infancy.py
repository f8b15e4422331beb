"""A worker until it serves: it holds no connection yet, so when its master is gone it need not finish anything.

``master.fork`` has given it handlers that end it when it is told to leave. That its master is gone it hears from the
lifeline, which a real thread watches while the handler is imported; later the event loop does. Imported before the
standard library is made cooperative.
"""

from __future__ import annotations

import os
from _thread import start_new_thread
from select import POLLIN, poll
from signal import SIG_BLOCK, pthread_sigmask, valid_signals

#: Milliseconds between two looks at whether it serves by now.
LOOK = 250


class Infancy:
    """From now until ``over`` is set."""

    def __init__(self, lifeline: int) -> None:
        self.over = False
        start_new_thread(self._watch, (lifeline,))

    def _watch(self, lifeline: int) -> None:
        pthread_sigmask(SIG_BLOCK, valid_signals())  # they are to wake the thread that boots
        watch = poll()
        watch.register(lifeline, POLLIN)
        while not self.over:
            if watch.poll(LOOK) and not self.over:
                os._exit(0)
