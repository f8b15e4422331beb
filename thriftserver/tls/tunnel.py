"""One TLS connection, and the unix stream that a worker has of it: bytes go both ways, decrypted and encrypted.

OpenSSL reads and writes the client's socket itself. Where one side does not take what the other one gives, nothing more
is read from that other one: a connection holds what one turn has read in each direction, and no more.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT
from typing import Protocol

#: Bytes of a TLS record, and what one turn reads, at the most: large messages pass in large pieces.
RECORD = 16_384
ROOM = 8 * RECORD
_GONE = EPOLLERR | EPOLLHUP
#: Not watched at all. The kernel tells of a dead connection again and again, whatever is asked for.
_SUSPENDED = -1


class Home(Protocol):
    """What a tunnel needs around it. All read into one ``inbox``, of ``ROOM`` bytes; none keeps anything in it."""

    inbox: memoryview

    def watch(self, fd: int, mask: int, on_ready: Callable[[int], None]) -> None:
        """Call ``on_ready`` with what epoll says of a descriptor, level-triggered."""

    def change(self, fd: int, mask: int) -> None: ...

    def forget(self, fd: int) -> None: ...

    def limit(self, tunnel: Tunnel) -> None:
        """The worker is gone: close the tunnel when the client has not taken the rest in time."""

    def part(self, sock: socket.socket) -> None:
        """Take over a socket on which all is said: end the stream, and close it when the peer has hung up."""

    def ended(self, tunnel: Tunnel) -> None: ...


class Tunnel:
    """``client`` has shaken hands; ``stream`` is our end of the worker's. Neither blocks.

    What ends on one side is passed on as what it is: the end of a stream as that, after all that was sent before, and a
    dead connection by closing the other one.
    """

    __slots__ = (
        "bidding",
        "client",
        "client_fd",
        "client_mask",
        "client_over",
        "home",
        "inbound",
        "outbound",
        "read",
        "receive",
        "send",
        "stream",
        "stream_fd",
        "stream_mask",
        "write",
    )

    def __init__(self, client: ssl.SSLSocket, stream: socket.socket, home: Home) -> None:
        self.client = client
        self.stream = stream
        self.home = home
        self.read: Callable[[int, memoryview], int] = client.read  # type: ignore[assignment]  # into a buffer
        self.write = client.write
        self.send = stream.send
        self.receive = stream.recv_into
        #: What the worker, and what the client, has not taken yet.
        self.inbound = b""
        self.outbound = b""
        #: We have read all that the client is going to say.
        self.client_over = False
        #: OpenSSL has something of its own to send, and the socket is full.
        self.bidding = False
        #: -1 once it is closed.
        self.client_fd = client.fileno()
        self.stream_fd = stream.fileno()
        self.client_mask = self.stream_mask = EPOLLIN
        home.watch(self.client_fd, EPOLLIN, self.on_client)
        home.watch(self.stream_fd, EPOLLIN, self.on_stream)

    def close(self) -> None:
        """End both sides at once."""
        self._close_client()
        self._close_stream()
        self.home.ended(self)

    # What becomes ready.

    def on_client(self, mask: int) -> None:
        if mask == EPOLLIN and not self.inbound:  # nearly always
            self._pull_in()
            return
        if self.outbound:
            if mask & (EPOLLOUT | _GONE):
                self._flush_out()
        elif self.bidding:
            self.bidding = False
            self._settle()
            if self.stream_fd < 0:
                self._say_good_bye()
        if self.client_fd < 0:
            return
        if not (self.client_over or self.inbound or self.stream_fd < 0):
            if mask & ~EPOLLOUT or not self.outbound:
                self._pull_in()
        elif not mask & _GONE:
            pass
        elif self.inbound and not self.client_over:  # what has come until then is read when the worker has taken this
            self._suspend_client()
        else:
            self._client_dead()

    def on_stream(self, mask: int) -> None:
        if mask == EPOLLIN and not self.outbound and self.client_fd >= 0:  # nearly always
            self._pull_out()
            return
        if self.inbound and mask & (EPOLLOUT | _GONE):
            self._flush_in()
        if self.stream_fd < 0 or self.client_fd < 0:
            return
        if not self.outbound:
            if mask & ~EPOLLOUT:
                self._pull_out()
        elif mask & _GONE:  # what it has said until then is read when the client has taken this
            self._suspend_stream()
            self.home.limit(self)

    # From the client to the worker.

    def _pull_in(self) -> None:
        inbox = self.home.inbox
        size = 0
        over = dead = False
        try:
            size = count = self.read(RECORD, inbox)
            while count == RECORD and size < ROOM:
                count = self.read(RECORD, inbox[size:])
                size += count
            over = not count
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLWantWriteError:
            self.bidding = True
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            over = True
        except OSError:
            dead = True
        if size:
            self._pass_on(inbox[:size])
        if dead:
            self._client_dead()
        elif over:
            self.client_over = True
            if not self.inbound:
                self._end_stream()
            self._settle()
        elif self.bidding:
            self._settle()

    def _pass_on(self, data: memoryview) -> None:
        try:
            sent = self.send(data)
        except BlockingIOError:
            sent = 0
        except OSError:  # nobody reads there any more, as the stream's own turn tells
            return
        if sent < len(data):
            self.inbound = bytes(data[sent:])
            self._settle()

    def _flush_in(self) -> None:
        try:
            self.inbound = self.inbound[self.send(self.inbound) :]
        except BlockingIOError:
            return
        except OSError:
            self.inbound = b""
        if self.inbound:
            return
        if self.client_fd < 0:
            self.close()
            return
        if self.client_over:
            self._end_stream()
        self._settle()

    def _end_stream(self) -> None:
        with suppress(OSError):  # the worker is gone, as the stream's own turn tells
            self.stream.shutdown(socket.SHUT_WR)

    def _client_dead(self) -> None:
        """Nothing reaches the client any more. What it has sent reaches the worker all the same."""
        self.outbound = b""
        self._close_client()
        if self.inbound and self.stream_fd >= 0:
            self._settle()
        else:
            self.close()

    # From the worker to the client.

    def _pull_out(self) -> None:
        inbox = self.home.inbox
        try:
            size = self.receive(inbox)
        except BlockingIOError:
            return
        except OSError:  # the worker was killed, with requests that it has not read
            size = 0
        if size:
            self._say(inbox[:size])
        else:
            self._worker_over()

    def _say(self, data: memoryview) -> None:
        try:
            while data:
                data = data[self.write(data) :]
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            self.outbound = bytes(data)
            self._settle()
        except OSError:
            self._client_dead()

    def _flush_out(self) -> None:
        data, self.outbound = memoryview(self.outbound), b""
        self._say(data)
        if self.outbound or self.client_fd < 0:
            return
        if self.stream_fd < 0:
            self._say_good_bye()
        else:
            self._settle()

    def _worker_over(self) -> None:
        """The worker says no more. It hears no more either: it never ends one direction alone but for a good-bye."""
        self.inbound = b""
        self._close_stream()
        if self.outbound:
            self.home.limit(self)
            self._settle()
        else:
            self._say_good_bye()

    def _say_good_bye(self) -> None:
        """Tell the client, inside TLS, that nothing follows; and let it hang up where it has not done so."""
        try:
            self.client.unwrap()
        except ssl.SSLWantWriteError:
            self.bidding = True
            self.home.limit(self)
            self._settle()
            return
        except (OSError, ValueError):
            pass  # it was sent; or the connection is dead
        if not self.client_over:
            self._forget_client()
            self.client_fd = -1
            self.home.part(self.client)
        self.close()

    # What is waited for.

    def _settle(self) -> None:
        """Watch for what can go on as things are."""
        if self.client_fd >= 0:
            mask = EPOLLOUT if self.outbound or self.bidding else 0
            if not (self.client_over or self.inbound or self.stream_fd < 0):
                mask |= EPOLLIN
            if mask != self.client_mask and (mask or self.client_mask != _SUSPENDED):
                if self.client_mask == _SUSPENDED:
                    self.home.watch(self.client_fd, mask, self.on_client)
                else:
                    self.home.change(self.client_fd, mask)
                self.client_mask = mask
        if self.stream_fd >= 0:
            mask = EPOLLOUT if self.inbound else 0
            if not self.outbound and self.client_fd >= 0:
                mask |= EPOLLIN
            if mask != self.stream_mask and (mask or self.stream_mask != _SUSPENDED):
                if self.stream_mask == _SUSPENDED:
                    self.home.watch(self.stream_fd, mask, self.on_stream)
                else:
                    self.home.change(self.stream_fd, mask)
                self.stream_mask = mask

    def _suspend_client(self) -> None:
        self._forget_client()
        self.client_mask = _SUSPENDED

    def _suspend_stream(self) -> None:
        self._forget_stream()
        self.stream_mask = _SUSPENDED

    def _forget_client(self) -> None:
        if self.client_mask != _SUSPENDED:
            self.home.forget(self.client_fd)

    def _forget_stream(self) -> None:
        if self.stream_mask != _SUSPENDED:
            self.home.forget(self.stream_fd)

    def _close_client(self) -> None:
        if self.client_fd >= 0:
            self._forget_client()
            self.client_fd = -1
            self.client.close()

    def _close_stream(self) -> None:
        if self.stream_fd >= 0:
            self._forget_stream()
            self.stream_fd = -1
            self.stream.close()
