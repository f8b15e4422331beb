"""What systemd keeps for the next master of a unit: its listeners and, while it restarts, its live connections.

Listeners are stored when they are bound, so that they outlive a master that crashes. Connections stay in queues of the
kind that workers share (``handoff``), and it is the queues that are stored: a queue holds hundreds of connections with
their unread bytes, and whoever takes one out is the only one to have it, whatever happens before or after. Systemd
itself would need seconds for thousands of descriptors, because it compares each new one with all others.

Whether connections are to be kept is ``policy``'s to say; what their bytes mean, ``worker.connection``'s.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
import time
from collections import deque
from collections.abc import Callable, Iterator, MutableMapping, Sequence
from contextlib import suppress
from itertools import islice

from thriftserver.handoff import ADVICE, Handoff, Parcel
from thriftserver.log import Logger
from thriftserver.master import limits
from thriftserver.master.events import News, State
from thriftserver.master.sockets import Heirloom, Listeners
from thriftserver.master.systemd import Channel, Passed, Unit, is_listening, passed

#: Names in the store: of all queues, and how those of listeners begin.
QUEUE, LISTENER = "connections", "bind "
#: Characters of a name.
NAME = 255
#: Connections that are taken at one look.
AT_ONCE = 256
#: Connections that were told good-bye and are still open, at most: each has a moment to read it.
LINGERING = 256
#: Seconds until connections are taken again after there was no descriptor for one.
PAUSE = 0.05
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)


class Store:
    """One unit's store. ``limit`` is how many descriptors it may have; 0: nothing is stored.

    As an observer of the master it hears when the workers serve, and can be given what was kept.
    """

    def __init__(self, channel: Channel, unit: Unit, limit: int, found: Sequence[Passed]) -> None:
        self._channel, self._unit, self._limit, self._room = channel, unit, limit, limit
        self._log = Logger()
        #: Descriptors that no master has stored: those of socket units.
        self.strangers: list[Passed] = []
        #: Those that a master before this one has bound.
        self.listeners: list[Heirloom] = []
        self._stored: set[str] = set()
        """Names of the listeners that are in the store."""
        self._bound: Callable[[], Sequence[Heirloom]] = tuple
        self._left: deque[Handoff] = deque()
        """What the master before this one has filled."""
        self._in_hand: Parcel | None = None
        self._serving = False
        self._filled: list[Handoff] = []
        """What this one has filled, the last one perhaps not to the end."""
        self._given = self._kept = 0
        self._refused = self._ended = 0
        self._lingering: deque[int] = deque()
        """Those that were told good-bye."""
        self._capped = False
        """Did the kernel refuse to have more of this user's descriptors under way?"""
        self._pause = 0.0
        self._sort(found)

    @classmethod
    def open(cls, channel: Channel, environ: MutableMapping[str, str]) -> Store:
        """The store of the unit that this process is the service of. FDSTORE is its limit, since systemd 254."""
        told = environ.pop("FDSTORE", "")
        if not channel.path:
            return cls(channel, Unit(""), 0, passed(environ))
        unit = Unit.mine()
        return cls(channel, unit, int(told) if told.isdecimal() else unit.store_limit(), passed(environ))

    def environment(self) -> dict[str, str]:
        """The variables that this was made of, for another master to be started with."""
        return {"FDSTORE": str(self._limit)} if self._limit else {}

    def follow(self, listeners: Listeners, others: Sequence[Heirloom] = ()) -> None:
        """Store these listeners from the next ``update`` on; ``others`` are those that a running master has stored."""
        self._bound = listeners.heirlooms
        self._stored = set(_names((*self.listeners, *(others if self._limit else ()))))
        self._room -= len(self._stored)

    def update(self) -> None:
        """Store what has been bound, and drop what no address asks for any more."""
        if not self._limit and not self._stored:  # there is no store
            return
        bound = _names(self._bound())
        for name in self._stored - bound.keys():
            advice = "it was kept over the restart, and no bind asks for it any more"
            self._log.warning("socket_unused", address=_heirloom(name, -1).asked, advice=advice)
            self._remove(name, 1)
        for name, each in bound.items():
            if self._room > 0 and name not in self._stored and len(name) <= NAME:
                self._add(name, each.descriptor)
        self._stored = set(bound)

    # A start: what the master before this one has left.

    def announce(self, news: News, _text: str) -> None:
        self._serving = self._serving or news is News.READY
        if news is News.SUCCEEDED:  # before that systemd listens to the older master alone
            self.update()

    def tick(self, state: State, now: float) -> None:
        """Nothing is due."""

    def descriptors(self) -> list[int]:
        """Those that no child may keep: a connection ends only when the last one is closed."""
        held = [self._in_hand.descriptor] if self._in_hand else []
        return held + [queue.descriptors[1] for queue in self._left]

    @property
    def has_waiting(self) -> bool:
        """Does ``give`` have something to give, and are there workers for it?"""
        return self._serving and bool(self._left)

    @property
    def can_keep(self) -> bool:
        """Is it of use to call ``keep``? Not while there is no descriptor to take a connection with."""
        return time.monotonic() >= self._pause

    def warn(self, connections: int) -> None:
        """Say what a restart cannot keep of so many connections: what systemd keeps is under way."""
        most = limits.under_way() if self._limit else None
        if most is not None and most < connections:
            advice = f"set LimitNOFILE={connections} or more in the unit, or a lower max_connections"
            facts = {"most": most, "max_connections": connections, "advice": advice}
            self._log.warning("connections_kept_limited", **facts)

    def give(self, handoff: Handoff) -> None:
        """Put as many connections as there is room for into the workers' queue."""
        while self._left:
            try:
                parcel = self._in_hand or self._left[0].take()
            except OSError as error:
                if error.errno not in _NO_DESCRIPTORS:
                    raise
                return  # later
            if parcel is None:
                self._left.popleft().close()
            elif handoff.put(parcel):
                self._in_hand = None
                self._given += 1
                os.close(parcel.descriptor)
            else:
                self._in_hand = parcel
                return
        self._remove(QUEUE, self._found)
        self._log.info("connections_inherited", connections=self._given)

    # A stop: what this master leaves to the next one.

    def expects_successor(self) -> bool:
        """Will somebody take what is stored now? When systemd cannot be asked it may be so."""
        return self._room > 0 and self._unit.job() in ("restart", None)

    def keep(self, handoff: Handoff) -> int:
        """Store what workers have handed over until now; some of it, so that the master has time for others.

        How many that were; 0: there is nothing left.
        """
        done = 0
        for parcel in islice(self._taken(handoff), AT_ONCE):  # one at a time: each is a descriptor
            done += 1
            if not _is_socket(parcel.descriptor):  # whatever code runs in a worker can put things there
                os.close(parcel.descriptor)
            elif _is_keepers(parcel.descriptor):
                self._ended += 1
                self._dismiss(parcel.descriptor)
            elif self._lay_in(parcel):
                self._kept += 1
                os.close(parcel.descriptor)
            else:
                self._refused += 1
                self._dismiss(parcel.descriptor)
        return done

    def _dismiss(self, descriptor: int) -> None:
        _say_good_bye(descriptor)
        self._lingering.append(descriptor)
        if len(self._lingering) > LINGERING:
            os.close(self._lingering.popleft())

    def close(self) -> None:
        """The last thing a master does: see that systemd has what it was sent."""
        if self._kept:
            self._log.info("connections_kept", connections=self._kept, settled=self._channel.settle())
        if self._ended:
            advice = "the keys end with this service; clients connect anew"
            self._log.info("tls_connections_ended", connections=self._ended, advice=advice)
        if self._refused:
            advice = "closed; FileDescriptorStoreMax is how many descriptors systemd keeps for the unit"
            if self._capped:
                advice = ADVICE
            self._log.warning("connections_not_kept", connections=self._refused, advice=advice)

    def _taken(self, handoff: Handoff) -> Iterator[Parcel]:
        if self._in_hand:
            parcel, self._in_hand = self._in_hand, None
            yield parcel
        while True:
            try:
                parcel_or_none = handoff.take()
            except OSError as error:
                if error.errno not in _NO_DESCRIPTORS:
                    raise
                if not self._lingering:
                    self._pause = time.monotonic() + PAUSE
                    return
                while self._lingering:  # they have had their good-bye
                    os.close(self._lingering.popleft())
                continue
            if parcel_or_none is None:
                return
            yield parcel_or_none

    def _lay_in(self, parcel: Parcel) -> bool:
        """Put a connection into the queue that is being filled, or into another one. False: there is no room for it."""
        if self._filled and self._filled[-1].put(parcel):
            return True
        if self._room <= 0:
            return False
        try:
            queue = Handoff.create()
        except OSError:
            return False
        # First into the queue: one that takes nothing would use up room of the store for each that it does not take.
        if not queue.put(parcel):
            self._capped = True
        elif self._add(QUEUE, queue.descriptors[1]):
            self._filled.append(queue)
            return True
        queue.close()
        return False

    # The store.

    def _add(self, name: str, descriptor: int) -> bool:
        """FDPOLL=0: a queue is to stay though nobody can put anything more into it."""
        sent = self._channel.send("FDSTORE=1", f"FDNAME={name}", "FDPOLL=0", descriptors=[descriptor])
        self._room -= sent
        return sent

    def _remove(self, name: str, count: int) -> None:
        self._room += count
        self._channel.send("FDSTOREREMOVE=1", f"FDNAME={name}")

    def _sort(self, found: Sequence[Passed]) -> None:
        """What systemd has passed, by its names."""
        for each in found:
            if each.name.startswith(LISTENER) and is_listening(each.descriptor):
                self.listeners.append(_heirloom(each.name, each.descriptor))
            elif each.name == QUEUE and not is_listening(each.descriptor):
                self._left.append(Handoff.left(each.descriptor))
            else:
                self.strangers.append(each)
        self._found = len(self._left)
        self._room -= self._found


def _names(listeners: Sequence[Heirloom]) -> dict[str, Heirloom]:
    """Those that a master has bound itself, by their names: others are whoever's who passed them."""
    return {_name(each): each for each in listeners if each.asked and not each.asked.startswith("fd://")}


def _name(listener: Heirloom) -> str:
    """What a listener is called in the store: all that there is to say about it."""
    from urllib.parse import quote  # here, because only a store needs it

    parts = (listener.asked, *(listener.file or ()))
    return LISTENER + " ".join(quote(str(each), safe="/") for each in parts)


def _heirloom(name: str, descriptor: int) -> Heirloom:
    from urllib.parse import unquote  # as above

    asked, *file = map(unquote, name.removeprefix(LISTENER).split(" "))
    return Heirloom(descriptor, asked, (file[0], int(file[1]), int(file[2])) if len(file) == 3 else None)


def _is_socket(descriptor: int) -> bool:
    return stat.S_ISSOCK(os.fstat(descriptor).st_mode)


def _is_keepers(descriptor: int) -> bool:
    """Is it one end of a TLS connection, of which the other one ends with the keeper? Only a pair has no name."""
    sock = socket.socket(fileno=descriptor)
    try:
        return sock.family == socket.AF_UNIX and sock.getsockname() == ""
    finally:
        sock.detach()


def _say_good_bye(descriptor: int) -> None:
    """The peer reads the end of the stream. It is closed later, so that what still comes resets nothing."""
    sock = socket.socket(fileno=descriptor)  # no copy of it: there may be no descriptor for one
    with suppress(OSError):  # the peer may have gone
        sock.shutdown(socket.SHUT_WR)
    sock.detach()
