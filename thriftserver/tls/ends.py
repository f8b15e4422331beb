"""The two ends of a tunnel, alike: what one of them has read, the other one passes on.

Both read into one ``INBOX``, which holds nothing between two turns. What the other side does not take is kept in its
end, which is ``full`` until it is gone. ``_ends.pyx`` is the compiled twin, which calls OpenSSL itself.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

#: Bytes of a TLS record, and what one turn reads, at the most: large messages pass in large pieces.
RECORD = 16_384
ROOM = 8 * RECORD
INBOX = memoryview(bytearray(ROOM))


def reach() -> str:
    """Why these ends cannot be used in this process; nothing where they can."""
    return ""


class Client:
    """A client over TLS; ``sock`` has shaken hands and does not block. ``fd`` is -1 once it is closed.

    ``over``: the client says no more. ``dead``: nothing reaches it. ``full``: it is given nothing more until what is
    kept is sent. ``stuck``: nothing is read from it until then, either.
    """

    __slots__ = ("_kept", "_read", "_write", "dead", "fd", "full", "over", "sock", "stuck")

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self._read: Callable[[int, memoryview], int] = sock.read  # type: ignore[assignment]  # into a buffer
        self._write = sock.write
        self._kept = b""
        self.over = self.dead = self.full = self.stuck = False

    def read(self) -> int:
        """Decrypt into the inbox; how many bytes. What is left is the kernel's to tell of."""
        size = 0
        try:
            size = count = self._read(RECORD, INBOX)
            while count == RECORD and size < ROOM:
                count = self._read(RECORD, INBOX[size:])
                size += count
            self.over = not count
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLWantWriteError:
            self.full = self.stuck = True
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            self.over = True
        except OSError:
            self.dead = True
        return size

    def write(self, size: int) -> None:
        """Encrypt the first bytes of the inbox, and send them or keep what is too much."""
        self._say(INBOX[:size])

    def _say(self, data: memoryview) -> None:
        try:
            while data:
                data = data[self._write(data) :]
        except ssl.SSLWantWriteError:
            self.full = True
        except OSError:
            self.dead = True
        self._kept = bytes(data)

    def flush(self) -> None:
        """Send what is kept."""
        self.full = self.stuck = False
        self._say(memoryview(self._kept))

    def finish(self) -> None:
        """Say, inside TLS, that nothing follows."""
        try:
            self.sock.unwrap()
        except ssl.SSLWantWriteError:
            self.full = True
        except (OSError, ValueError):
            pass  # it was sent; or the connection is dead

    def release(self) -> socket.socket:
        """Nothing more is read or said; the socket."""
        self.fd = -1
        self._kept = b""
        self.full = self.stuck = False
        return self.sock

    def close(self) -> None:
        self.release().close()


class Worker:
    """Our end of a worker's stream, which does not block. ``over``: the worker is gone, or says no more.

    What it cannot be told is thrown away: a worker never ends one direction alone, as its own turn tells.
    """

    __slots__ = ("_kept", "fd", "full", "over", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self._kept = b""
        self.over = self.full = False

    def read(self) -> int:
        """Read into the inbox; how many bytes."""
        try:
            size = self.sock.recv_into(INBOX)
        except BlockingIOError:
            return 0
        except OSError:  # it was killed, with requests that it has not read
            size = 0
        self.over = not size
        return size

    def write(self, size: int) -> None:
        """Send the first bytes of the inbox, or keep what is too much."""
        self._say(INBOX[:size])

    def _say(self, data: memoryview) -> None:
        try:
            data = data[self.sock.send(data) :]
        except BlockingIOError:
            pass
        except OSError:
            data = data[:0]
        self._kept = bytes(data)
        self.full = bool(data)

    def flush(self) -> None:
        """Send what is kept."""
        self._say(memoryview(self._kept))

    def finish(self) -> None:
        """End the stream; what the worker says is still read."""
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.fd = -1
        self._kept = b""
        self.full = False
        self.sock.close()
