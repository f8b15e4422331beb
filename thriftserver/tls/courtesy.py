"""Whom the keeper interrupts on a processor that it shares with workers: everybody, or while it is busy, nobody.

A worker's reply wakes the keeper. If that interrupts the worker, both take turns on their processor for each call,
where a worker that goes on has several replies ready. But who does not interrupt waits some milliseconds where another
process has the processor, so this is for when calls are many. Where a processor is free, it makes no difference.
"""

from __future__ import annotations

import os
from contextlib import suppress


class Courtesy:
    """A scheduling policy that somebody has given this process, other than the default, stays."""

    __slots__ = ("_deferring",)

    def __init__(self) -> None:
        self._deferring = False

    def defer(self, busy: bool) -> None:
        """Interrupt nobody from now on, or everybody again."""
        with suppress(OSError):  # not everybody may ask for that
            if busy and os.sched_getscheduler(0) == os.SCHED_OTHER:
                os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
                self._deferring = True
            elif self._deferring and not busy:
                os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
                self._deferring = False
