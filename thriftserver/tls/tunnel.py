"""One TLS connection, and the unix stream that a worker has of it: bytes go both ways, decrypted and encrypted.

Where one side does not take what the other one gives, nothing more is read from that other one: a connection holds what
one turn has read in each direction, and no more. This one source runs on plain CPython, over ``ends``, and Cython
compiles it, with ``_tunnel.pxd``, into the module ``_tunnel``, over ``_ends``.
"""

from __future__ import annotations

from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT
from typing import TYPE_CHECKING, Any, Protocol

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if not cython.compiled:
    from thriftserver.tls.ends import Client, Worker
    from thriftserver.tls.ready import clock, find, found_count, found_fd, found_mask

if TYPE_CHECKING:
    import socket

_IN = EPOLLIN
_OUT = EPOLLOUT
_GONE = EPOLLERR | EPOLLHUP
#: Not watched at all. The kernel tells of a dead connection again and again, whatever is asked for.
_SUSPENDED = -1
#: Descriptors that are looked at together.
BATCH = 256
#: So many ready descriptors in a second, two for each call, are much to be done; seconds between two looks at that.
BUSY, SPELL = 10_000, 0.02


class Home(Protocol):
    """What a tunnel needs around it, beside its ``Watch``."""

    def limit(self, tunnel: Tunnel) -> None:
        """The worker is gone: close the tunnel when the client has not taken the rest in time."""

    def part(self, sock: socket.socket) -> None:
        """Take over a socket on which all is said: end the stream, and close it when the peer has hung up."""

    def ended(self, tunnel: Tunnel) -> None: ...

    def failed(self, tunnel: Tunnel, error: Exception) -> None:
        """A fault of ours."""

    def busy(self, busy: bool) -> None:
        """Much is to be done from now on, or no longer."""


class Watch:
    """An epoll set, level-triggered. Tunnels in it go on by themselves; what else is ready in it is for who waits."""

    def __init__(self, epoll: Any, home: Home) -> None:
        self.epoll = epoll
        self.epoll_fd = epoll.fileno()
        self.home = home
        #: By descriptor; each tunnel is there twice.
        self.tunnels: list[Any] = []
        self.returning = False
        self.is_busy = False
        self.found = 0
        self.weighed = clock()

    def turn(self, timeout: float) -> list[tuple[int, int]]:
        """Let tunnels go on for so many seconds, or until something else is ready or a tunnel has ended.

        The descriptors of others, with what epoll says of them.
        """
        others: list[tuple[int, int]] = []
        until = clock() + timeout
        self.returning = False
        while True:
            found = find(self.epoll_fd if cython.compiled else self.epoll, BATCH, timeout)
            for index in range(found_count(found)):
                fd = found_fd(found, index)
                tunnel = self.tunnels[fd] if fd < len(self.tunnels) else None
                if tunnel is None:
                    others.append((fd, found_mask(found, index)))
                else:
                    self.go_on(tunnel, fd, found_mask(found, index))
            now = clock()
            self.found += found_count(found)
            if now > self.weighed + SPELL:
                self.weigh(now)
            timeout = until - now
            if others or self.returning or timeout <= 0 or not found_count(found):
                return others

    def weigh(self, now: float) -> None:
        """Is much to be done, by what was found since the last time?"""
        is_busy = self.found > BUSY * (now - self.weighed)
        self.found = 0
        self.weighed = now
        if is_busy != self.is_busy:
            self.is_busy = is_busy
            self.home.busy(is_busy)

    def go_on(self, tunnel: Tunnel, fd: int, mask: int) -> None:
        try:
            tunnel.on_ready(fd, mask)
        except Exception as error:  # noqa: BLE001 - the wall of one connection: a fault of ours ends it alone
            self.home.failed(tunnel, error)

    def add(self, fd: int, mask: int, tunnel: Tunnel) -> None:
        while len(self.tunnels) <= fd:
            self.tunnels.append(None)
        self.tunnels[fd] = tunnel
        self.epoll.register(fd, mask)

    def change(self, fd: int, mask: int) -> None:
        self.epoll.modify(fd, mask)

    def remove(self, fd: int) -> None:
        """Before the descriptor is closed, and its number may be another one's."""
        self.tunnels[fd] = None
        self.epoll.unregister(fd)


class Tunnel:
    """What ends on one side is passed on as what it is: the end of a stream as that, after all that was sent before,
    and a dead connection by closing the other one.
    """

    __slots__ = ("client", "client_mask", "home", "watch", "worker", "worker_mask")

    def __init__(self, client: Client, worker: Worker, watch: Watch, home: Home) -> None:
        self.client = client
        self.worker = worker
        self.watch = watch
        self.home: Any = home
        self.client_mask = self.worker_mask = _IN
        watch.add(client.fd, _IN, self)
        watch.add(worker.fd, _IN, self)

    def close(self) -> None:
        """End both sides at once."""
        self.close_client()
        self.close_worker()
        self.watch.returning = True
        self.home.ended(self)

    # What becomes ready.

    def on_ready(self, fd: int, mask: int) -> None:
        """``mask`` is what epoll says of one of its descriptors."""
        if fd == self.client.fd:
            self.on_client(mask)
        elif fd == self.worker.fd:
            self.on_worker(mask)

    def on_client(self, mask: int) -> None:
        client, worker = self.client, self.worker
        if client.full and mask & (_OUT | _GONE):
            self.flush_client()
            if client.fd < 0:
                return
        if not (client.over or client.stuck or worker.full or worker.fd < 0):
            if mask & ~_OUT or not client.full:
                self.pull_in()
        elif not mask & _GONE:
            pass
        elif worker.full and not client.over:  # what has come until then is read when the worker has taken this
            self.suspend_client()
        else:
            self.client_dead()

    def on_worker(self, mask: int) -> None:
        client, worker = self.client, self.worker
        if worker.full and mask & (_OUT | _GONE):
            self.flush_worker()
        if worker.fd < 0 or client.fd < 0:
            return
        if not client.full:
            if mask & ~_OUT:
                self.pull_out()
        elif mask & _GONE:  # what it has said until then is read when the client has taken this
            self.suspend_worker()
            self.home.limit(self)

    # From the client to the worker.

    def pull_in(self) -> None:
        client, worker = self.client, self.worker
        size = client.read()
        if size:
            worker.write(size)
        if client.dead:
            self.client_dead()
        elif client.over:
            if not worker.full:
                worker.finish()
            self.settle()
        elif worker.full or client.full:
            self.settle()

    def flush_worker(self) -> None:
        client, worker = self.client, self.worker
        worker.flush()
        if worker.full:
            return
        if client.fd < 0:
            self.close()
            return
        if client.over:
            worker.finish()
        self.settle()

    def client_dead(self) -> None:
        """Nothing reaches the client any more. What it has sent reaches the worker all the same."""
        self.close_client()
        if self.worker.full:
            self.settle()
        else:
            self.close()

    # From the worker to the client.

    def pull_out(self) -> None:
        client, worker = self.client, self.worker
        size = worker.read()
        if size:
            client.write(size)
            if client.dead:
                self.client_dead()
            elif client.full:
                self.settle()
        elif worker.over:
            self.worker_over()

    def flush_client(self) -> None:
        client = self.client
        client.flush()
        if client.dead:
            self.client_dead()
        elif client.full:
            self.settle()
        elif self.worker.fd < 0:
            self.say_good_bye()
        else:
            self.settle()

    def worker_over(self) -> None:
        """The worker says no more. It hears no more either: it never ends one direction alone but for a good-bye."""
        self.close_worker()
        if self.client.full:
            self.home.limit(self)
            self.settle()
        else:
            self.say_good_bye()

    def say_good_bye(self) -> None:
        """Tell the client, inside TLS, that nothing follows; and let it hang up where it has not done so."""
        client = self.client
        client.finish()
        if client.full:
            self.home.limit(self)
            self.settle()
            return
        if not (client.over or client.dead):
            self.forget_client()
            self.home.part(client.release())
        self.close()

    # What is waited for.

    def settle(self) -> None:
        """Watch for what can go on as things are."""
        client, worker = self.client, self.worker
        if client.fd >= 0:
            mask = _OUT if client.full else 0
            if not (client.over or client.stuck or worker.full or worker.fd < 0):
                mask |= _IN
            if mask != self.client_mask and (mask or self.client_mask != _SUSPENDED):
                if self.client_mask == _SUSPENDED:
                    self.watch.add(client.fd, mask, self)
                else:
                    self.watch.change(client.fd, mask)
                self.client_mask = mask
        if worker.fd >= 0:
            mask = _OUT if worker.full else 0
            if not client.full and client.fd >= 0:
                mask |= _IN
            if mask != self.worker_mask and (mask or self.worker_mask != _SUSPENDED):
                if self.worker_mask == _SUSPENDED:
                    self.watch.add(worker.fd, mask, self)
                else:
                    self.watch.change(worker.fd, mask)
                self.worker_mask = mask

    def suspend_client(self) -> None:
        self.forget_client()
        self.client_mask = _SUSPENDED

    def suspend_worker(self) -> None:
        self.forget_worker()
        self.worker_mask = _SUSPENDED

    def forget_client(self) -> None:
        if self.client_mask != _SUSPENDED:
            self.watch.remove(self.client.fd)

    def forget_worker(self) -> None:
        if self.worker_mask != _SUSPENDED:
            self.watch.remove(self.worker.fd)

    def close_client(self) -> None:
        if self.client.fd >= 0:
            self.forget_client()
            self.client.close()

    def close_worker(self) -> None:
        if self.worker.fd >= 0:
            self.forget_worker()
            self.worker.close()
