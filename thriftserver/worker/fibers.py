"""Parked greenlets that are switched to and never spawned: who takes the next turn when a handler waits.

It knows greenlets and the hub; it does not know what a turn does.
"""

from __future__ import annotations

from collections.abc import Callable

from gevent import get_hub
from greenlet import getcurrent, greenlet

#: Fibers that stay parked; a burst of waiting handlers makes more, and they end with it.
KEPT = 64


class Fibers:
    """Runs ``turn`` in a parked greenlet, or in a new one while all others are inside a turn that waits.

    A turn that does not wait costs two switches and no allocation (decision 3 of docs/architecture.md).
    """

    def __init__(self, turn: Callable[[], None]) -> None:
        self._turn = turn
        self._hub = get_hub()
        self._parked: list[greenlet] = []

    def wake(self) -> None:
        """Give a fiber its turn. To be called from the hub; returns when the turn ends or waits."""
        fiber = self._parked.pop() if self._parked else greenlet(self._run, self._hub)
        fiber.switch()

    def _run(self) -> None:
        me, turn, parked, rest = getcurrent(), self._turn, self._parked, self._hub.switch
        while True:
            turn()
            if len(parked) >= KEPT:
                return  # to the hub, as ``rest`` would
            parked.append(me)
            rest()
