"""Connections that handlers make: their descriptors are in the set that the worker's clients are in.

Who waits for such a descriptor is parked, and gets its turn from the hub once the set has told of it, or when its time
is over: a wait has no watcher, no timer and no greenlet of its own. How bytes come and go is for ``parking``. Threads,
and children that handlers fork, have ordinary lines.

This one source runs on plain CPython, and Cython compiles it, with ``_outgoing.pxd``, into the module ``_outgoing``.
"""

from __future__ import annotations

import os
import socket
import sys
from time import monotonic
from typing import Any

from gevent import get_hub
from gevent._hub_local import get_hub_if_exists
from greenlet import getcurrent, greenlet

from thriftserver.worker.accept import plain_socket

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if not cython.compiled:
    from thriftserver.worker.io import thread_number
    from thriftserver.worker.pump import Member, Pump

#: The end of a wait without a limit.
NEVER = float("inf")


class End(Member):
    """Our end of such a connection. ``ready``: there may be something that nobody has looked at."""

    __slots__ = ("added", "late", "outgoing", "ready", "sock", "waiter")

    def __init__(self, family: int, outgoing: Outgoing) -> None:
        self.sock = plain_socket(family, socket.SOCK_STREAM)
        self.sock.setblocking(False)
        Member.__init__(self, self.sock.fileno())
        self.urgent = True
        self.ready = False
        self.added = False
        #: Who is parked until something happens, and whether that was the end of its time.
        self.waiter: Any = None
        self.late = False
        self.outgoing = outgoing

    def on_ready(self, seat: Any) -> None:
        self.ready = True
        if self.waiter is not None:
            self.outgoing.release(self)

    def close(self) -> None:
        """Leave the set and close; who is still parked finds it closed. To be called in the loop's thread."""
        if self.fd >= 0:
            if self.added and self.outgoing.is_mine():
                self.outgoing.pump.remove(self)
            self.fd = -1
            self.sock.close()
            self.on_ready(None)


class Outgoing:
    """All such connections of one loop, and who waits for them."""

    def __init__(self, pump: Pump) -> None:
        self.pump = pump
        self.hub: Any = get_hub()
        #: The loop is giving turns, and asks again before it rests.
        self.waking = False
        #: Who is parked at these ends is to go on.
        self.due: list[End] = []
        self._rest = greenlet.switch.__get__(self.hub)
        self._thread = thread_number()
        self._pid = os.getpid()
        #: Until when those wait who have a limit; one timer is armed for the earliest.
        self._until: dict[End, float] = {}
        self._armed = NEVER
        self._timer: Any = None

    def is_here(self) -> bool:
        """May who asks be parked?"""
        return self.is_mine() and getcurrent() is not self.hub

    def is_mine(self) -> bool:
        """Is this the loop's thread, in its process?"""
        return get_hub_if_exists() is self.hub and os.getpid() == self._pid

    def in_thread(self) -> bool:
        """Is this the loop's thread, in its process or a child of it? It costs less than ``is_mine``."""
        return thread_number() == self._thread

    def release(self, end: End) -> None:
        """Who is parked there is to go on."""
        self.due.append(end)
        if not self.waking and not self.pump.kicked:
            self.pump.kick()

    def resume(self) -> None:
        """Let those go on. To be called from the hub."""
        fresh: list[End] = []
        due = self.due
        self.due = fresh
        for end in due:
            waiter = end.waiter
            end.waiter = None
            if waiter is not None:
                try:
                    waiter.switch()
                except BaseException:  # noqa: BLE001 - that greenlet has ended so, and nobody else is to
                    self.hub.handle_error(waiter, *sys.exc_info())

    def park(self, end: End, until: float) -> None:
        """Wait until something has happened at that end. Raises TimeoutError when ``until`` comes first."""
        if until < NEVER:
            self._until[end] = until
            if until < self._armed:
                self._arm(until)
        end.late = False
        me = getcurrent()
        end.waiter = me
        try:
            while end.waiter is me:  # a switch by anybody else means nothing
                self._rest()
        finally:
            end.waiter = None
            if until < NEVER:
                self._until.pop(end, None)
        if end.late:
            raise TimeoutError

    def _arm(self, until: float) -> None:
        if self._timer is not None:
            self._timer.close()
        self._armed = until
        self._timer = self.hub.loop.timer(max(until - monotonic(), 0.0))
        self._timer.start(self._expire, update=True)

    def _expire(self) -> None:
        now = monotonic()
        earliest = NEVER
        self._armed = NEVER
        for end, until in self._until.items():
            if until <= now:
                end.late = True
                self.release(end)
            elif until < earliest:
                earliest = until
        if earliest < NEVER:
            self._arm(earliest)

    def drop(self, end: End) -> None:
        """Nobody has that end any more; whoever has found that out may be in the middle of anything."""
        if os.getpid() == self._pid:
            self.hub.loop.run_callback_threadsafe(end.close)
        else:
            end.close()
