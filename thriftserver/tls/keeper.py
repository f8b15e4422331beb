"""The keeper's loop: it accepts, has TLS agreed upon, and gives each connection to the workers as a unix stream.

What is agreed upon has precedence: between two looks at live connections one step of one handshake is taken, so that a
crowd at the door costs those inside the time of one signature. The process around it is ``boot``'s.
"""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from msgspec import Struct

from thriftserver.compiled import NATIVE, variant
from thriftserver.handoff import Handoff, Parcel
from thriftserver.keepalive import keep_alive
from thriftserver.log import Logger
from thriftserver.peers import Certificate, Introduction, Peer, name_of
from thriftserver.proxied import Announcement, Trusted
from thriftserver.sans import Allowed
from thriftserver.scoreboard import layout
from thriftserver.tls.certificate import certificate_of
from thriftserver.tls.contexts import Contexts
from thriftserver.tls.courtesy import Courtesy
from thriftserver.tls.ends import INBOX
from thriftserver.tls.handshake import Handshake
from thriftserver.tls.refusals import SLOW, UNANNOUNCED, Refusal, not_allowed, plain
from thriftserver.tls.terms import Terms
from thriftserver.tls.tunnel import Tunnel

#: Connections that are accepted before others have their turn.
AT_ONCE = 16
#: Handshakes under way. As soon as there are so many, no more is accepted until one is over.
CROWD = 512
#: Descriptors beside those of connections, each of which has two: listeners, the log, epoll, the queue.
OWN = 32
#: Seconds that a handshake may take, and those in a crowd.
PATIENCE, HURRY = 10.0, 1.0
#: Seconds between two looks at what takes too long; until a full hand-off queue is tried again; until accepting is.
LOOK, FULL_QUEUE, PAUSE = 0.25, 0.005, 0.5
#: Seconds between two signs of life, at most.
BEAT = 0.5
#: Seconds for a peer to hang up after we have.
LINGER = 1.0
#: Days before a certificate expires from which on that is a warning when it is loaded.
SOON = 14
#: Bytes of a peer that speaks no TLS, for the log.
_START = 64


class _Parting(Struct, eq=False):
    """A socket on which all is said."""

    sock: socket.socket
    until: float


class Keeper:
    """``words`` is the scoreboard, ``listeners`` do not block, ``descriptors`` may be open. Only ``turn`` waits."""

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        handoff: Handoff,
        words: memoryview,
        terms: Terms,
        descriptors: int,
        log: Logger,
    ) -> None:
        self._listeners = list(listeners)
        self._handoff = handoff
        self._words = words
        #: Connections that there are descriptors for.
        self._room = max((descriptors - OWN) // 2, 1)
        self._log = log
        self._epoll = select.epoll()
        self._ends, self._tunnel = self._choose()
        self._watch = self._tunnel.Watch(self._epoll, self)
        self.busy = Courtesy().defer
        self._members: dict[int, Callable[[int], None]] = {}
        #: Handshakes have a set of their own, which is one member of the other.
        self._door = select.epoll()
        self._handshakes: dict[int, Handshake] = {}
        self._epoll.register(self._door.fileno(), select.EPOLLIN)
        #: Of these, those that have said something.
        self._begun = 0
        self._tunnels: set[Tunnel] = set()
        self._limits: dict[Tunnel, float] = {}
        self._partings: dict[int, _Parting] = {}
        #: Connections for which the queue has no room.
        self._waiting: deque[tuple[socket.socket, bytes]] = deque()
        self._accepting = False
        self._accept_after = 0.0
        self._short = False
        self._looked = 0.0
        self.watch(handoff.descriptors[0], 0, lambda _mask: self._close_door())  # all that it can tell is the end
        self.renew(terms)
        self._resume()

    def _choose(self) -> tuple[Any, Any]:
        """``ends`` and ``tunnel``, compiled if OpenSSL can be reached past Python."""
        why = variant("tls.ends", NATIVE).reach()
        if why:
            advice = "TLS goes through Python's ssl module, which takes more time"
            self._log.info("openssl_not_reached", reason=why, advice=advice)
        native = NATIVE and not why
        return variant("tls.ends", native), variant("tls.tunnel", native)

    def renew(self, terms: Terms) -> None:
        """New connections are offered these terms. Raises ConfigError, and changes nothing, if they cannot be kept."""
        contexts = Contexts(terms)
        self.terms, self._contexts = terms, contexts
        self._allowed, self._proxies = Allowed(terms.allowed), Trusted(terms.proxies)
        self._words[layout.BOARD_TLS_EXPIRY] = int(contexts.expiry)
        self._log.info("certificates_loaded", names=contexts.names, expires=_date(contexts.expiry))
        days = int((contexts.expiry - time.time()) // 86_400)
        if days < SOON:
            advice = "put a new one in its place and reload (HUP)"
            self._log.warning("certificate_expires", days=days, expires=_date(contexts.expiry), advice=advice)

    def leave(self) -> None:
        """Accept nothing any more; those that are there stay as long as their workers and peers want."""
        self._pause()
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    def _close_door(self) -> None:
        """Nobody is left who could take a connection out of the queue: the service is over."""
        self.forget(self._handoff.descriptors[0])
        self.leave()
        for handshake in list(self._handshakes.values()):
            self._let_in(handshake).close()

    @property
    def is_done(self) -> bool:
        """Has it left, and is nobody there any more?"""
        return not (self._listeners or self._tunnels or self._handshakes or self._partings or self._waiting)

    # The loop.

    def turn(self) -> None:
        """Wait until something is to be done, and do it."""
        door = self._door.fileno()
        knocks = []
        for fd, mask in self._watch.turn(self._timeout()):
            on_ready = self._members.get(fd)
            if on_ready is not None:
                try:
                    on_ready(mask)
                except Exception as error:  # noqa: BLE001 - a fault of ours ends nothing
                    self._log.exception("tls_connection_failed", error)
            else:
                knocks.append(fd)
        # What makes new descriptors comes last: none has the number of one that this look was about.
        for fd in knocks:
            if fd == door:
                self._open_door()
            else:
                self._accept(fd)
        self._put_waiting()
        self._look()
        if not self._accepting:
            self._resume()

    def _timeout(self) -> float:
        if self._waiting:
            return FULL_QUEUE
        return LOOK if self._begun or self._limits or self._partings or self._accept_after else BEAT

    def _look(self) -> None:
        """End what has taken too long."""
        now = time.monotonic()
        if now < self._looked + LOOK / 2:
            return
        self._looked = now
        self._words[layout.BOARD_TLS_HEARTBEAT] = time.monotonic_ns()
        patience = HURRY if self._begun >= CROWD else PATIENCE
        for handshake in list(self._handshakes.values()):
            if now < handshake.since + patience:
                break  # those after it are younger
            if handshake.announcement:
                self.refused(handshake, UNANNOUNCED)
            elif handshake.has_begun or not self.terms.plain_too:
                self.refused(handshake, SLOW)
        for tunnel, until in list(self._limits.items()):
            if now > until:
                tunnel.close()
        for fd, parting in list(self._partings.items()):
            if now > parting.until:
                self._parted(fd)

    def add(self, fd: int, on_ready: Callable[[], None]) -> None:
        """Something else that the loop is to wait for."""
        self.watch(fd, select.EPOLLIN, lambda _mask: on_ready())

    def watch(self, fd: int, mask: int, on_ready: Callable[[int], None]) -> None:
        self._members[fd] = on_ready
        self._epoll.register(fd, mask)

    def forget(self, fd: int) -> None:
        self._epoll.unregister(fd)
        del self._members[fd]

    # New connections.

    def _resume(self) -> None:
        now = time.monotonic()
        if not self._has_room() or now < self._accept_after:
            return
        self._accept_after = 0.0
        self._accepting = True
        for listener in self._listeners:
            self._epoll.register(listener.fileno(), select.EPOLLIN)

    def _pause(self) -> None:
        if self._accepting:
            self._accepting = False
            for listener in self._listeners:
                self._epoll.unregister(listener.fileno())

    def _has_room(self) -> bool:
        here = len(self._tunnels) + len(self._handshakes) + len(self._partings)
        room = here < self.terms.most and here < self._room
        return room and self._begun < CROWD and not self._waiting and not self._accept_after

    def _accept(self, fd: int) -> None:
        for listener in self._listeners:
            if listener.fileno() == fd:
                self._accept_from(listener)

    def _accept_from(self, listener: socket.socket) -> None:
        for _ in range(AT_ONCE):
            if not self._has_room():
                self._pause()
                return
            try:
                sock, address = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:
                self._tell_short(error)
                return
            self._short = False
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.terms.keepalive:
                keep_alive(sock, self.terms.keepalive)
            announcement = Announcement() if self._proxies and self._proxies.have(address[0]) else None
            handshake = Handshake(sock, name_of(address), time.monotonic(), announcement)
            self._handshakes[handshake.fd] = handshake
            self._door.register(handshake.fd, select.EPOLLIN)

    def _tell_short(self, error: OSError) -> None:
        self._accept_after = time.monotonic() + PAUSE
        self._pause()
        if not self._short:  # said once, however often it is tried again
            self._short = True
            self._log.warning("accept_paused", error=error.strerror, connections=len(self._tunnels))

    # Handshakes.

    def _open_door(self) -> None:
        for fd, _ in self._door.poll(0, 1):
            handshake = self._handshakes[fd]
            try:
                handshake.go_on(self)
            except Exception as error:  # noqa: BLE001 - as in turn
                self._log.exception("tls_connection_failed", error, peer=handshake.peer)
                if fd in self._handshakes:
                    self._let_in(handshake).close()

    def context(self) -> ssl.SSLContext:
        return self._contexts.default

    def want(self, handshake: Handshake, mask: int) -> None:
        self._door.modify(handshake.fd, mask)

    def began(self, handshake: Handshake) -> None:
        self._begun += 1
        # Its time begins now: with --tls auto it may have been silent for long.
        handshake.since = time.monotonic()
        self._handshakes[handshake.fd] = self._handshakes.pop(handshake.fd)
        self._count()

    def _let_in(self, handshake: Handshake) -> socket.socket:
        """It is no handshake any more; its socket."""
        del self._handshakes[handshake.fd]
        with suppress(OSError):  # ssl has closed what it could not begin with
            self._door.unregister(handshake.fd)
        self._begun -= handshake.has_begun
        return handshake.sock

    def agreed(self, handshake: Handshake, client: ssl.SSLSocket) -> None:
        certificate = certificate_of(client) if self.terms.cert_reqs != "none" else None
        if self.terms.allowed and not self._may_enter(certificate):
            with suppress(OSError, ValueError):
                client.unwrap()  # to the client TLS is agreed upon: it gets a good-bye that belongs to it
            self.refused(handshake, not_allowed(certificate))
            return
        self._let_in(handshake)
        self._words[layout.BOARD_TLS_AGREED] += 1
        if client.session_reused:
            self._words[layout.BOARD_TLS_RESUMED] += 1
        try:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        except OSError as error:
            self._tell_short(error)
            client.close()
            return
        ours.setblocking(False)
        theirs.setblocking(False)
        ends = self._ends.Client(client), self._ends.Worker(ours)
        self._tunnels.add(self._tunnel.Tunnel(*ends, self._watch, self))
        peer = Peer(handshake.peer, certificate, proxy=getattr(handshake.peer, "proxy", None))
        self._give(theirs, Introduction(peer).write())
        self._count()

    def _may_enter(self, certificate: Certificate | None) -> bool:
        if certificate is None:
            return self.terms.cert_reqs == "optional"
        return self._allowed.fits(certificate.sans)

    def refused(self, handshake: Handshake, why: Refusal) -> None:
        sock = self._let_in(handshake)
        self._words[layout.BOARD_TLS_REFUSED + layout.TLS_REFUSALS.index(why.kind)] += 1
        self._count()
        self._log.warning("tls_refused", peer=handshake.peer, kind=why.kind, reason=why.reason)
        self.part(sock)

    def is_plain(self, handshake: Handshake) -> None:
        if self.terms.plain_too:
            self._give(self._let_in(handshake), Introduction(handshake.peer).write())
            return
        start = b""
        with suppress(OSError):
            start = handshake.sock.recv(_START)
        self.refused(handshake, plain(start))

    def left(self, handshake: Handshake) -> None:
        self._let_in(handshake).close()

    # To the workers.

    def _give(self, sock: socket.socket, known: bytes) -> None:
        self._waiting.append((sock, known))
        self._put_waiting()

    def _put_waiting(self) -> None:
        while self._waiting:
            sock, known = self._waiting[0]
            try:
                if not self._handoff.put(Parcel(sock.fileno(), known)):
                    return
            except OSError:  # the queue has ended, and all workers with it
                pass
            self._waiting.popleft()
            sock.close()

    # The end of a connection.

    def limit(self, tunnel: Tunnel) -> None:
        self._limits.setdefault(tunnel, time.monotonic() + (self.terms.write_timeout or float("inf")))

    def ended(self, tunnel: Tunnel) -> None:
        self._tunnels.discard(tunnel)
        self._limits.pop(tunnel, None)
        self._count()

    def failed(self, tunnel: Tunnel, error: Exception) -> None:
        self._log.exception("tls_connection_failed", error)
        tunnel.close()

    def part(self, sock: socket.socket) -> None:
        try:
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            sock.close()
            return
        parting = _Parting(sock, time.monotonic() + LINGER)
        fd = sock.fileno()
        self._partings[fd] = parting
        self.watch(fd, select.EPOLLIN, lambda _mask: self._discard(fd, sock))

    def _discard(self, fd: int, sock: socket.socket) -> None:
        """What a peer sends that we have said good-bye to is thrown away, so that our last words reach it."""
        try:
            over = not sock.recv_into(INBOX)
        except BlockingIOError:
            return
        except OSError:
            over = True
        if over:
            self._parted(fd)

    def _parted(self, fd: int) -> None:
        self.forget(fd)
        self._partings.pop(fd).sock.close()

    def _count(self) -> None:
        self._words[layout.BOARD_TLS_CONNECTIONS] = len(self._tunnels)
        self._words[layout.BOARD_TLS_HANDSHAKES] = self._begun


def _date(when: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))
