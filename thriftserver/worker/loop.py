"""The worker's event loop: an epoll set of our own under one gevent watcher, drained by fibers.

An epoll descriptor is readable while any of its members is, so gevent watches one descriptor however many connections
there are, and a ready connection costs no watcher callback (decision 3 of docs/architecture.md). What a connection does
when it is ready is the connection's business.
"""

from __future__ import annotations

import errno
import socket
from collections import deque
from collections.abc import Sequence
from typing import Any

import gevent
from gevent import get_hub
from gevent.event import Event
from gevent.monkey import get_original

from thriftserver.errors import WireError
from thriftserver.log import Logger
from thriftserver.rpc.processor import Processor
from thriftserver.worker.connection import READABLE, Connection
from thriftserver.worker.fibers import Fibers

#: Ready descriptors taken from the kernel at once.
BATCH = 256
#: Connections accepted from one listener before others get their turn.
ACCEPTS = 16
#: Seconds to leave the backlog alone when there is no descriptor left for a new connection.
ACCEPT_PAUSE = 0.5

plain_socket: type[socket.socket] = get_original("socket", "socket")

_OUT_OF_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Listener:
    """A listening socket that all workers share; the master owns it, so its backlog outlives a worker."""

    __slots__ = ("fd", "loop", "sock")

    def __init__(self, sock: socket.socket, loop: Loop) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.loop = loop

    def on_ready(self, _mask: int) -> None:
        for _ in range(ACCEPTS):
            if not self.loop.has_room():
                self.loop.pause_accept(None)
                return
            try:
                # accept() would build a gevent socket once the socket module is patched; this loop needs a plain one.
                fd, address = self.sock._accept()  # type: ignore[attr-defined]
            except BlockingIOError:  # another worker was faster, or the backlog is empty
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                if error.errno not in _OUT_OF_RESOURCES:
                    raise
                self.loop.pause_accept(error)
                return
            self.loop.adopt(plain_socket(self.sock.family, socket.SOCK_STREAM, self.sock.proto, fd), address)


class Loop:
    """Every descriptor of a worker and the fibers that serve them. Implements ``connection.Pool``."""

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        processor: Processor,
        log: Logger,
        max_connections: int,
        max_frame: int,
    ) -> None:
        self.processor = processor
        self.draining = False
        self._log = log
        self._max_connections = max_connections
        self._max_frame = max_frame
        # patch_all() takes epoll out of the select module, because it would block the loop. This one never waits.
        self._epoll = get_original("select", "epoll")()
        self._members: dict[int, Listener | Connection] = {}
        self._listeners = [Listener(sock, self) for sock in listeners]
        self._connections = 0
        self._accepting = False
        self._accept_again: Any = None
        self._ready: deque[tuple[int, int]] = deque()
        self._empty = Event()
        self._empty.set()
        self._fibers = Fibers(self._turn)
        self._watcher = get_hub().loop.io(self._epoll.fileno(), 1)

    def start(self) -> None:
        """Accept and serve from now on."""
        self._watcher.start(self._fibers.wake)
        self._resume_accept()

    def drain(self, timeout: float) -> int:
        """Stop accepting, answer what has been received, close every connection at a frame boundary.

        Returns how many connections were still not finished after ``timeout`` seconds; those are closed as they are.
        """
        self.draining = True
        self._stop_accept()
        hub_loop = get_hub().loop
        self._ready.extend((fd, READABLE) for fd in list(self._members))
        while self._ready:  # a fiber whose handler waits leaves the rest to the next one
            hub_loop.run_callback(self._fibers.wake)
            gevent.sleep(0)
        self._empty.wait(timeout)
        left = list(self._members.values())
        for member in left:
            assert isinstance(member, Connection)
            member.close()
        return len(left)

    def _turn(self) -> None:
        ready, members = self._ready, self._members
        if not ready:
            ready.extend(self._epoll.poll(0, BATCH))
        while ready:
            fd, mask = ready.popleft()
            member = members.get(fd)
            if member is None:
                continue
            try:
                member.on_ready(mask)
            except Exception as error:  # noqa: BLE001 - the wall of one connection: a fault of ours ends it alone
                self._log.exception("connection_failed", error, peer=getattr(member, "peer", None))
                if isinstance(member, Connection):
                    member.close()

    # What connections and listeners ask of the loop.

    def watch(self, connection: Connection, mask: int) -> None:
        if mask == connection.watched:
            return
        if mask == 0:
            self._epoll.unregister(connection.fd)
        elif connection.watched == 0:
            self._epoll.register(connection.fd, mask)
        else:
            self._epoll.modify(connection.fd, mask)
        connection.watched = mask

    def forget(self, connection: Connection) -> None:
        self.watch(connection, 0)
        del self._members[connection.fd]
        self._connections -= 1
        if self._connections == 0:
            self._empty.set()
        if not self._accepting:
            self._resume_accept()

    def again(self, connection: Connection) -> None:
        self._ready.append((connection.fd, READABLE))

    def complain(self, connection: Connection, error: WireError) -> None:
        self._log.warning("bad_peer", peer=connection.peer, error=str(error))

    def has_room(self) -> bool:
        return self._connections < self._max_connections

    def adopt(self, sock: socket.socket, address: Any) -> None:
        """Serve a connection that has just been accepted."""
        sock.setblocking(False)
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(sock, _name(address), self, self._max_frame)
        self._members[connection.fd] = connection
        self._connections += 1
        self._empty.clear()
        self.watch(connection, READABLE)

    # Accepting.

    def pause_accept(self, error: OSError | None) -> None:
        """Leave new connections in the backlog: until one is closed, and after an ``error`` for a moment."""
        self._stop_accept()
        if error is None:
            return
        self._log.warning("accept_paused", error=error.strerror, connections=self._connections)
        self._accept_again = get_hub().loop.timer(ACCEPT_PAUSE)
        self._accept_again.start(self._resume_accept)

    def _stop_accept(self) -> None:
        if self._accepting:
            self._accepting = False
            for listener in self._listeners:
                self._epoll.unregister(listener.fd)
                del self._members[listener.fd]

    def _resume_accept(self) -> None:
        if self._accepting or self.draining:
            return
        self._accepting = True
        for listener in self._listeners:
            self._members[listener.fd] = listener
            self._epoll.register(listener.fd, READABLE)


def _name(address: Any) -> str:
    """A peer for people: ``127.0.0.1:4711``, ``[::1]:4711``, ``unix``."""
    if isinstance(address, tuple):
        return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"
    return "unix"
