"""One connection from its first byte until TLS is agreed upon, or not.

A peer whose first byte begins no TLS handshake is no TLS client: what becomes of it is for the keeper to say.
"""

from __future__ import annotations

import socket
import ssl
from select import EPOLLIN, EPOLLOUT
from typing import Final, Protocol

from thriftserver.proxied import Announcement, BrokenHeader
from thriftserver.tls.refusals import HUNG_UP, Refusal, explain, proxy

#: The first byte of a TLS record that holds a handshake.
_BEGINS: Final = 0x16


class Host(Protocol):
    """Where a handshake takes place: it hears how it ends, once. The socket is then the host's."""

    def context(self) -> ssl.SSLContext:
        """What new connections are offered."""

    def want(self, handshake: Handshake, mask: int) -> None:
        """Go on when its descriptor is ready for this."""

    def began(self, handshake: Handshake) -> None:
        """The peer has begun to speak TLS."""

    def agreed(self, handshake: Handshake, client: ssl.SSLSocket) -> None: ...

    def refused(self, handshake: Handshake, why: Refusal) -> None: ...

    def is_plain(self, handshake: Handshake) -> None:
        """It begins with something else; nothing has been read of it."""

    def left(self, handshake: Handshake) -> None:
        """It has hung up before it said anything, as load balancers do that look whether a port is open."""


class Handshake:
    """``sock`` does not block. ``since`` is when it began to wait for its peer.

    ``announcement`` is what a proxy says before, whose name ``peer`` is until then; None where nobody has to.
    """

    __slots__ = ("announcement", "fd", "peer", "since", "sock")

    def __init__(self, sock: socket.socket, peer: str, since: float, announcement: Announcement | None = None) -> None:
        self.sock: socket.socket = sock
        self.fd = sock.fileno()
        self.peer = peer
        self.since = since
        self.announcement = announcement

    @property
    def has_begun(self) -> bool:
        return isinstance(self.sock, ssl.SSLSocket)

    def go_on(self, host: Host) -> None:
        """Its descriptor is ready."""
        if self.announcement and not self._hear(self.announcement, host):
            return
        if not self.has_begun and not self._begin(host):
            return
        client = self.sock
        assert isinstance(client, ssl.SSLSocket)
        try:
            client.do_handshake()
        except ssl.SSLWantReadError:
            host.want(self, EPOLLIN)
        except ssl.SSLWantWriteError:
            host.want(self, EPOLLOUT)
        except OSError as error:
            host.refused(self, explain(error))
        else:
            host.agreed(self, client)

    def _hear(self, announcement: Announcement, host: Host) -> bool:
        """Is it known whose connection it is?"""
        try:
            heading = announcement.hear(self.sock)
        except BrokenHeader as problem:
            host.refused(self, proxy(problem))
            return False
        except (OSError, EOFError):
            host.left(self)
            return False
        if heading is None:
            return False
        self.peer = heading.peer(self.peer)
        self.announcement = None
        return True

    def _begin(self, host: Host) -> bool:
        """Look at the first byte; has TLS begun?"""
        try:
            first = self.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            first = b""
        if not first:
            host.left(self)
        elif first[0] != _BEGINS:
            host.is_plain(self)
        else:
            return self._wrap(host)
        return False

    def _wrap(self, host: Host) -> bool:
        try:
            self.sock = host.context().wrap_socket(
                self.sock, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=False
            )
        except OSError:  # it has hung up meanwhile
            host.refused(self, HUNG_UP)
            return False
        host.began(self)
        return True
