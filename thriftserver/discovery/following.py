"""Names in a registry, followed: a thread keeps what is known of them up to date, and whoever asks is told at once.

A registry that is away, or comes back with less than it had, takes nobody away who was found already.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import Context
from weakref import WeakMethod, WeakSet, WeakValueDictionary, ref

from thriftserver.discovery.addresses import Address, shuffled
from thriftserver.discovery.registries import Source, Url, read_url, registry_of

#: Seconds after which a registry that tells of no change is asked again.
PATIENCE = 10.0
#: Seconds between two attempts to reach a registry, at first and at most.
FIRST, SELDOM = 0.2, 2.0
#: Seconds that servers have to enter themselves again in a registry that was away.
SETTLING = 15.0


class Known:
    """Which servers there are, by what a registry says now and has said before. It has no clock."""

    def __init__(self, settling: float = SETTLING) -> None:
        self.addresses: tuple[Address, ...] = ()
        #: Until when nobody is taken out.
        self.until = 0.0
        self._settling = settling
        self._lost = False

    def lost(self) -> None:
        """The registry is away."""
        self._lost = True

    def found(self, addresses: Sequence[Address], now: float) -> bool:
        """It says that there are these; whether anything is another than before."""
        if self._lost:
            self._lost = False
            self.until = now + self._settling
        places = {each[:2]: each for each in addresses}
        if now < self.until:
            places = {each[:2]: each for each in self.addresses} | places
        before, self.addresses = self.addresses, tuple(sorted(places.values()))
        return self.addresses != before


class Watch:
    """One registry's answer to one URL, in one process, for all that ask for it. It is watched while somebody does."""

    def __init__(self, where: Url) -> None:
        self.pid = os.getpid()
        self.followers: WeakSet[Following] = WeakSet()
        self._where = where
        self._known = Known()
        self._problem = ""
        self._asked = False
        self._news = threading.Condition()
        begin = threading.Thread(
            target=Context().run, args=(_watch, ref(self), where), name="thriftserver.discovery", daemon=True
        )
        with suppress(RuntimeError):  # the interpreter is about to end
            begin.start()

    def addresses(self, timeout: float | None) -> tuple[Address, ...]:
        """What is known. Raises OSError if nothing is, as soon as it is clear that it will not be soon."""
        with self._news:
            if not (self._asked or self._problem):
                self._news.wait_for(lambda: self._asked or self._problem, timeout)
            if not self._asked:
                raise OSError(f"cannot resolve {self._where.text}: {self._problem or 'no answer yet'}")
            return self._known.addresses

    def found(self, addresses: Sequence[Address]) -> float:
        """The registry says this; for how long nothing else is to be looked at."""
        now = time.monotonic()
        with self._news:
            changed = self._known.found(addresses, now)
            self._asked, self._problem = True, ""
            self._news.notify_all()
        if changed:
            with _lock:
                followers = list(self.followers)
            for follower in followers:
                follower.tell()
        settled = self._known.until - now
        return min(PATIENCE, settled) if settled > 0 else PATIENCE

    def failed(self, problem: str) -> None:
        with self._news:
            self._known.lost()
            self._problem = problem
            self._news.notify_all()


def _watch(watch: ref[Watch], where: Url) -> None:
    """In a thread of its own, until nobody asks any more."""
    source: Source | None = None
    pause, patience = FIRST, PATIENCE
    while watch() is not None:
        try:
            source = source or registry_of(where).Source(where)
            addresses = source.look(patience)
        except Exception as error:  # noqa: BLE001 - the thread goes on, whatever the registry has said
            if (asked := watch()) is not None:
                asked.failed(str(error) or type(error).__name__)
            del asked
            time.sleep(pause)
            pause = min(2 * pause, SELDOM)
        else:
            if (asked := watch()) is not None:
                patience = asked.found(addresses)
            del asked
            pause = FIRST
    if source is not None:
        source.close()


_watches: WeakValueDictionary[Url, Watch] = WeakValueDictionary()
_lock = threading.Lock()


def _in_child() -> None:
    """A forked child has no threads but one, and may have been born while another had the lock."""
    global _lock
    _lock = threading.Lock()
    _watches.clear()


os.register_at_fork(after_in_child=_in_child)


class Following:
    """The resolver of ``zk://``, ``etcd://`` and ``consul://``."""

    def __init__(self, text: str) -> None:
        self._where = read_url(text)
        self._watch: Watch | None = None
        self._told: list[WeakMethod[Callable[[], None]]] = []

    def addresses(self, timeout: float | None) -> Sequence[Address]:
        return shuffled(self._watched().addresses(timeout))

    def follow(self, changed: Callable[[], None]) -> None:
        """Call this method, from another thread, whenever there are other servers; its object is not kept alive."""
        self._told.append(WeakMethod(changed))

    def tell(self) -> None:
        for each in list(self._told):
            if (changed := each()) is not None:
                changed()

    def _watched(self) -> Watch:
        watch = self._watch
        if watch is None or watch.pid != os.getpid():
            with _lock:
                watch = _watches.get(self._where)
                if watch is None:
                    watch = _watches[self._where] = Watch(self._where)
                watch.followers.add(self)
                self._watch = watch
        return watch
