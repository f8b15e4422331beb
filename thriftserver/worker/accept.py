"""Where connections come from: the listeners that all workers share, and the queue of those that live already.

Each worker takes its share: one that has more connections than the emptiest of its fellows leaves a new one to them for
a moment, and takes it when they do not.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gevent import get_hub
from gevent.monkey import get_original

from thriftserver.compiled import choose
from thriftserver.handoff import Handoff
from thriftserver.keepalive import keep_alive
from thriftserver.peers import UNANNOUNCED, UNIX, Introduction, name_of, unix_peer
from thriftserver.scoreboard import layout
from thriftserver.scoreboard.board import Board

if TYPE_CHECKING:
    from thriftserver.worker.loop import Loop
    from thriftserver.worker.pump import Member
else:
    Member = choose("worker.pump").Member

#: Connections taken at once before others get their turn.
AT_ONCE = 16
#: Seconds to leave the backlog alone when there is no descriptor left for a new connection.
PAUSE = 0.5
#: Seconds for which a connection is left to workers that have fewer.
COURTESY = 0.005
#: Nanoseconds after which a worker's heartbeat is too old to leave anything to it.
STALE = 1_500_000_000
#: Connections above the fair share that are worth a move.
SLACK = 2

plain_socket: type[socket.socket] = get_original("socket", "socket")
_OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Fellows:
    """What the other workers of a service have, from the scoreboard."""

    def __init__(self, board: Board, number: int) -> None:
        self._slots = [board.slot_words(each) for each in range(1, board.capacity + 1) if each != number]

    def connections(self, now: int) -> list[int]:
        """Of each worker that serves and is well."""
        return [
            words[layout.CONNECTIONS]
            for words in self._slots
            if words[layout.STATE] == layout.SERVING and now - words[layout.HEARTBEAT] < STALE
        ]


class Source(Member):
    """A descriptor that connections come out of."""

    def __init__(self, fd: int, loop: Loop) -> None:
        super().__init__(fd)
        self.urgent = True
        self.loop = loop
        self._later: Any = None

    def on_ready(self, _seat: Any) -> None:
        self._take_all(0)

    def _take_all(self, bold: int) -> None:
        """Edge-triggered: whoever stops before the source is empty must see that somebody comes back.

        The first ``bold`` ones are taken whoever else might.
        """
        for number in range(AT_ONCE):
            if not self.loop.accepting:
                return
            if not self.loop.has_room():
                self.loop.pause_accept(None)
                return
            if number >= bold and not self.loop.is_my_turn():
                self._come_back()
                return
            try:
                self.loop.count(1)  # before it is ours: a worker that is killed now has said what dies with it
                if not self.take():
                    return
            except OSError as error:
                if error.errno not in _OUT_OF_RESOURCES:
                    raise
                self.loop.pause_accept(error)
                return
            finally:
                self.loop.count()
        self.loop.pump.look(self)

    def _come_back(self) -> None:
        if self._later is None or not self._later.active:
            self._later = get_hub().loop.timer(COURTESY)
            self._later.start(lambda: self._take_all(self.bold()))

    def bold(self) -> int:
        """Connections to take whoever else might, when nobody has taken one for a moment."""
        return 1

    def take(self) -> bool:
        """Take one connection; False when there is none."""
        raise NotImplementedError


class Listener(Source):
    """The master owns the socket, so its backlog outlives a worker. ``welcome`` is given each connection."""

    def __init__(self, sock: socket.socket, loop: Loop, welcome: Callable[[int, str], object]) -> None:
        super().__init__(sock.fileno(), loop)
        self._sock = sock
        self._welcome = welcome

    def take(self) -> bool:
        try:
            # accept() would build a gevent socket once the socket module is patched; this loop needs a plain one.
            fd, address = self._sock._accept()  # type: ignore[attr-defined]
        except BlockingIOError:  # another worker was faster, or the backlog is empty
            self.loop.caught_up()
            return False
        except ConnectionAbortedError:
            return True
        os.set_blocking(fd, False)
        sock = plain_socket(self._sock.family, socket.SOCK_STREAM, self._sock.proto, fd)
        if self._sock.family == socket.AF_UNIX:
            peer: str = unix_peer(sock)
        else:
            peer = name_of(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.loop.keepalive:
                keep_alive(sock, self.loop.keepalive)
        sock.detach()
        self._welcome(fd, peer)
        return True


class Inheritance(Source):
    """Connections that a retiring worker, a worker with too many, or a master before this one has handed over."""

    def __init__(self, handoff: Handoff, loop: Loop) -> None:
        super().__init__(handoff.descriptors[1], loop)
        self._handoff = handoff

    def bold(self) -> int:
        """When there are thousands, callers would wait for seconds; so little too much is evened out later."""
        return max(self.loop.connections // 8, 1)

    def take(self) -> bool:
        parcel = self._handoff.take()
        if parcel is None:
            return False
        line, _, held = parcel.data.partition(b"\n")
        known = Introduction.read(line)
        if known.peer == UNIX:
            known = known._replace(peer=_credited(parcel.descriptor))
        try:
            if known.dialect == UNANNOUNCED:
                self.loop.arrivals.expect(parcel.descriptor, known.peer, held)
                self.loop.processor.slot.add(layout.COUNTER["handed_in"], 1)
            else:
                self.loop.inherit(parcel.descriptor, known, held)
        except OSError:  # the kernel watches no more of them for us
            self._handoff.put(parcel)
            os.close(parcel.descriptor)
            raise
        return True


def _credited(fd: int) -> str:
    """The peer of a unix socket: the kernel still knows who has connected."""
    try:
        sock = plain_socket(fileno=fd)
    except OSError:  # whatever code runs in a worker can put something else into the queue
        return UNIX
    try:
        return unix_peer(sock)
    finally:
        sock.detach()
