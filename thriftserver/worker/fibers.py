"""Parked greenlets that are switched to and never spawned: who takes the next turn when a handler waits.

It knows greenlets and the hub; it does not know what a turn does.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from gevent import get_hub
from greenlet import greenlet

from thriftserver.compiled import choose

if TYPE_CHECKING:
    from thriftserver.rpc.call import Seat
else:
    Seat = choose("rpc.call").Seat

#: Fibers that stay parked; a burst of waiting handlers makes more, and they end with it.
KEPT = 64


class Fibers:
    """Runs ``turn`` in a parked greenlet, or in a new one while all others are inside a turn that waits.

    A turn that does not wait costs two switches and no allocation (decision 3 of docs/architecture.md). Each fiber has
    a seat of its own, in which whoever looks finds the call that it serves. A fiber in which a handler has left
    something ends with its turn, so that a timeout that was never cancelled, a link or a local finds nobody.
    """

    def __init__(self, turn: Callable[[Seat], None]) -> None:
        self._turn = turn
        self._hub = get_hub()
        self._parked: list[greenlet] = []
        self._called: greenlet | None = None
        self.seats: set[Seat] = set()

    def wake(self) -> None:
        """Give a fiber its turn. To be called from the hub; returns when the turn ends or waits."""
        self._called = fiber = self._parked.pop() if self._parked else self._make()
        fiber.switch()

    def _make(self) -> greenlet:
        seat = Seat()
        seat.fiber = greenlet(partial(self._run, seat), self._hub)
        self.seats.add(seat)
        return seat.fiber  # type: ignore[no-any-return]

    def _run(self, seat: Seat) -> None:
        me, turn, parked, rest = seat.fiber, self._turn, self._parked, greenlet.switch.__get__(self._hub)
        while True:
            self._called = None
            turn(seat)
            if seat.spoiled or len(parked) >= KEPT:
                self.seats.discard(seat)
                seat.fiber = None
                return  # to the hub, as ``rest`` would
            parked.append(me)
            while self._called is not me:  # a finalizer that waits, run here, may have taken the call for its own
                rest()
