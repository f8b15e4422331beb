"""What systemd keeps for the next master of a unit: its listeners and, while it restarts, its live connections.

Listeners are stored when they are bound, so that they outlive a master that crashes. Connections are stored as retiring
workers hand them over; what goes with each stands in a file without a name that is stored beside them. The next master
puts them into its own workers' queue. It knows descriptors and names; what a connection's bytes mean is
``worker.connection``'s, and whether connections are to be kept, ``policy``'s.
"""

from __future__ import annotations

import os
import socket
from collections import deque
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import suppress
from struct import Struct
from urllib.parse import quote, unquote

from thriftserver.handoff import Handoff, Parcel
from thriftserver.log import Logger
from thriftserver.master.events import News, State
from thriftserver.master.sockets import Listeners
from thriftserver.master.systemd import Channel, Passed, Unit, is_listening, passed

#: Names in the store. All connections have one, and a short one: LISTEN_FDNAMES is a variable of at most 128 KiB.
CONNECTION, NOTES, LISTENER = "c", "notes", "bind "
#: Characters of a name.
NAME = 255
#: Descriptors of one message: the kernel takes 253.
AT_ONCE = 200
#: A record of the notes: which connection (no two sockets have the same inode at once), and how many bytes follow.
_RECORD = Struct("=QI")


class Store:
    """One unit's store. ``limit`` is how many descriptors it may have; 0: nothing is stored.

    As an observer of the master it hears when the workers serve: then it takes what was kept out of the store for good.
    """

    def __init__(self, channel: Channel, unit: Unit, limit: int, found: Sequence[Passed]) -> None:
        self._channel, self._unit, self._room = channel, unit, limit
        self._log = Logger()
        #: Descriptors that no master has stored: those of socket units.
        self.strangers: list[Passed] = []
        #: Labels and sockets, as ``sockets.Listeners`` knows them.
        self.listeners: list[tuple[str, socket.socket]] = []
        self._found = 0
        """Descriptors that the master before this one has stored while it stopped, until they are removed."""
        self._notes: list[int] = []
        self._waiting: deque[Parcel] = deque()
        self._mine = False
        """What waits is not in the store any more."""
        self._kept = 0
        self._refused: list[int] = []
        self._sort(found)

    @classmethod
    def open(cls, channel: Channel, environ: MutableMapping[str, str]) -> Store:
        """The store of the unit that this process is the service of. FDSTORE is its limit, since systemd 254."""
        unit, limit = Unit.mine(), environ.pop("FDSTORE", "")
        known = int(limit) if limit.isdecimal() else unit.store_limit() if channel.path else 0
        return cls(channel, unit, known if channel.path else 0, passed(environ))

    def update(self, listeners: Listeners) -> None:
        """Store what has been bound, and drop what no address asks for any more."""
        for label in listeners.discard():
            self._log.warning(
                "socket_unused", address=label, advice="it was kept over the restart; no bind asks for it"
            )
            self._remove(_listener(label))
            self._room += 1
        for label, sock in listeners.bound:
            if self._room > 0 and len(_listener(label)) <= NAME:
                self._put(_listener(label), [sock.fileno()], "FDPOLL=0")

    # A start: what the master before this one has left.

    def descriptors(self) -> list[int]:
        """Those that no child may keep: a connection ends only when the last one is closed."""
        return [*self._notes, *(parcel.descriptor for parcel in self._waiting)]

    def announce(self, news: News, _text: str) -> None:
        """READY: from now on the connections are this master's alone, whatever becomes of it.

        The notes are emptied before anybody reads from a connection. A later master that still finds it in the store
        would go on with bytes that have been used; without a note it closes it.
        """
        if news is not News.READY or self._mine:
            return
        self._mine = True
        if self._waiting:
            self._log.info("connections_inherited", connections=len(self._waiting))
        for notes in self._notes:
            os.ftruncate(notes, 0)
            os.close(notes)
        self._notes = []
        if self._found:
            self._remove(CONNECTION)
            self._remove(NOTES)
            self._room += self._found

    def tick(self, state: State, now: float) -> None:
        """Nothing is due."""

    @property
    def has_waiting(self) -> bool:
        """Does ``give`` have something to give?"""
        return self._mine and bool(self._waiting)

    def give(self, handoff: Handoff) -> None:
        """Put as many connections as there is room for into the workers' queue."""
        while self.has_waiting and handoff.put(self._waiting[0]):
            os.close(self._waiting.popleft().descriptor)

    # A stop: what this master leaves to the next one.

    def expects_successor(self) -> bool:
        """Will somebody take what is stored now? When systemd cannot be asked it may be so."""
        return self._room > 0 and self._unit.job() in ("restart", None)

    def keep(self, handoff: Handoff) -> None:
        """Store what workers have handed over until now."""
        if self._mine:
            parcels = [*self._waiting, *_taken(handoff)]
            self._waiting.clear()
        else:  # what waits is in the store still
            parcels = list(_taken(handoff))
        for start in range(0, len(parcels), AT_ONCE):
            self._keep(parcels[start : start + AT_ONCE])

    def close(self) -> None:
        """The last thing a master does: see that systemd has what it was sent."""
        settled = not self._kept or self._channel.settle()
        if self._kept:
            self._log.info("connections_kept", connections=self._kept, settled=settled)
        if self._refused:
            advice = "closed; FileDescriptorStoreMax is how many descriptors systemd keeps for the unit"
            self._log.warning("connections_not_kept", connections=len(self._refused), advice=advice)
        for descriptor in self._refused:
            os.close(descriptor)

    def _keep(self, parcels: Sequence[Parcel]) -> None:
        if not self._notes:
            self._notes = [os.memfd_create("thriftserver-notes", os.MFD_CLOEXEC)]
            self._put(NOTES, self._notes)
        kept = parcels[: max(self._room, 0)]
        for parcel in kept:
            inode = os.fstat(parcel.descriptor).st_ino
            _write(self._notes[0], _RECORD.pack(inode, len(parcel.data)) + parcel.data)
        if kept and self._put(CONNECTION, [parcel.descriptor for parcel in kept]):
            self._kept += len(kept)
            for parcel in kept:
                os.close(parcel.descriptor)
            parcels = parcels[len(kept) :]
        self._refused += [_say_good_bye(parcel.descriptor) for parcel in parcels]

    # The store.

    def _put(self, name: str, descriptors: Sequence[int], *options: str) -> bool:
        self._room -= len(descriptors)
        return self._channel.send("FDSTORE=1", f"FDNAME={name}", *options, descriptors=descriptors)

    def _remove(self, name: str) -> bool:
        return self._channel.send("FDSTOREREMOVE=1", f"FDNAME={name}")

    def _sort(self, found: Sequence[Passed]) -> None:
        """What systemd has passed, by its names."""
        connections: list[int] = []
        notes: dict[int, bytes] = {}
        for each in found:
            if each.name.startswith(LISTENER) and is_listening(each.descriptor):
                label = unquote(each.name.removeprefix(LISTENER))
                self.listeners.append((label, socket.socket(fileno=each.descriptor)))
            elif each.name == NOTES and not is_listening(each.descriptor):
                self._notes.append(each.descriptor)
                notes |= dict(_read(each.descriptor))
            elif each.name == CONNECTION and not is_listening(each.descriptor):
                connections.append(each.descriptor)
            else:
                self.strangers.append(each)
        self._found = len(self._notes) + len(connections)
        self._room -= len(self.listeners) + self._found
        for descriptor in connections:
            data = notes.get(os.fstat(descriptor).st_ino)
            if data is None:
                os.close(descriptor)
            else:
                os.set_blocking(descriptor, False)
                self._waiting.append(Parcel(descriptor, data))
        if lost := len(connections) - len(self._waiting):
            reason = "the master that took them over ended at once, and nobody knows what it had read"
            self._log.warning("connections_closed", connections=lost, reason=reason)


def _listener(label: str) -> str:
    return LISTENER + quote(label, safe="/ ")


def _taken(handoff: Handoff) -> Iterator[Parcel]:
    while (parcel := handoff.take()) is not None:
        yield parcel


def _write(descriptor: int, data: bytes) -> None:
    with open(descriptor, "ab", closefd=False) as file:
        file.write(data)


def _read(descriptor: int) -> Iterator[tuple[int, bytes]]:
    """Inodes and bytes, up to a record that was not finished."""
    with open(descriptor, "rb", closefd=False) as file:
        file.seek(0)
        while len(head := file.read(_RECORD.size)) == _RECORD.size:
            inode, size = _RECORD.unpack(head)
            data = file.read(size)
            if len(data) == size:
                yield inode, data


def _say_good_bye(descriptor: int) -> int:
    """The peer reads the end of the stream; it is closed later, so that what it sends now resets nothing."""
    with socket.socket(fileno=os.dup(descriptor)) as sock, suppress(OSError):  # it may have gone
        sock.shutdown(socket.SHUT_WR)
    return descriptor
