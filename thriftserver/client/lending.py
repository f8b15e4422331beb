"""What a pool does for every call: choose a server, hand out one of its connections, take it back.

All of it is single operations of containers, which threads may do at the same time without a lock; nothing here
decides who is well, nor knows what a connection is. One source: it runs on plain CPython, and Cython compiles it, with
``_lending.pxd``, into the module ``_lending``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if not cython.compiled:
    from thriftserver.client.stack import pop, push


class Place:
    """A server as far as connections go: ``held`` are all, ``idle`` those without a call, the latest on the right.

    A call in flight weighs ``cost``, against others'. ``odd``: it wants to be told how calls end.
    """

    __slots__ = ("cost", "held", "idle", "odd")

    def __init__(self) -> None:
        self.held: set[Held] = set()
        self.idle: list[Held] = []
        self.cost = 1.0
        self.odd = False


def busy(place: Place) -> int:
    """How many of its connections have a call. A method would be looked up in derived classes, at each call."""
    return len(place.held) - len(place.idle)


class Held:
    """A connection of a pool, made or to be made; shells derive their own from it.

    It is good ``until`` then, its last call began when it was last ``used``. It has had first attempts of so many
    ``calls``, and so many ``repeats`` of others.
    """

    __slots__ = ("calls", "endpoint", "repeats", "until", "used")

    def __init__(self, endpoint: Place) -> None:
        self.endpoint: Any = endpoint  # and what else it is to those who decide
        self.until = self.used = 0.0
        self.calls = self.repeats = 0

    def close(self) -> None:
        """Close it, if it is open; it must not wait."""
        raise NotImplementedError


Pairs: TypeAlias = Iterator[tuple[Place, Place]]


class Lender:
    """Hands out connections. ``new`` gives one to a server, and ``drop`` ends one, when it is then.

    ``pairs`` are servers that chance has drawn in advance, without an end, or there is ``only`` one; ``due`` is when
    there is something to do beside the calls.
    """

    __slots__ = ("_drop", "_new", "due", "only", "pairs")

    def __init__(self, new: Callable[[Any, float], Held], drop: Callable[[Held], None]) -> None:
        self.pairs: Pairs = iter(())
        self.only: Place | None = None
        self.due = 0.0
        self._new = new
        self._drop = drop

    def choose(self) -> Place:
        """The less loaded of the next pair. There must be one."""
        only = self.only  # once: another thread may change it
        if only is not None:
            return only
        drawn = next(self.pairs)
        first, second = drawn[0], drawn[1]
        if second is not first and busy(second) * second.cost < busy(first) * first.cost:
            return second
        return first

    def take(self, now: float) -> Held:
        """A connection for a call, to the server whose turn it is."""
        held = self.borrow(self.choose(), now)
        held.calls += 1
        return held

    def take_of(self, place: Place, now: float) -> Held:
        """A connection to this server, for another attempt of a call."""
        held = self.borrow(place, now)
        held.repeats += 1
        return held

    def borrow(self, place: Place, now: float) -> Held:
        """The connection that was idle for the shortest time, or a new one."""
        held: Any = pop(place.idle)
        while held is not None and held.until < now:
            self._drop(held)
            held = pop(place.idle)
        if held is None:
            held = self._new(place, now)
        held.used = now
        return held  # type: ignore[no-any-return]

    def give(self, held: Held) -> bool:
        """A call on it was answered. Is it at a server that wants to hear of that?"""
        place: Place = held.endpoint
        push(place.idle, held)
        return place.odd
