"""One connection to a server: whole frames out and in, each exchange within one deadline.

It knows sockets and lengths, and nothing of what a frame holds.
"""

from __future__ import annotations

import socket
import time
from struct import Struct as Packing
from typing import Any

from thriftserver.errors import TransportError

_length = Packing(">i")
#: From here on a length is rather four letters of a server that speaks something else.
_TEXT = 0x40000000


class Deadline:
    """When an exchange must be over; ``phase`` is what it is busy with, for the message when it is not."""

    def __init__(self, seconds: float | None) -> None:
        self.phase = ""
        self._seconds = seconds
        self._end = None if seconds is None else time.monotonic() + seconds

    def left(self) -> float | None:
        """Seconds that are left, None for any number. Raises TransportError when there are none."""
        if self._end is None:
            return None
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.passed()
        return left

    def passed(self) -> TransportError:
        return TransportError(f"timed out after {self._seconds:g} s while {self.phase}")


class Channel:
    """A connection that is made when it is needed, and closed by whatever goes wrong in an exchange.

    Raises TransportError, which says the phase; whoever calls adds the address and the method.
    """

    def __init__(self, host: str, port: int, max_frame: int) -> None:
        self.peer = host if host.startswith("unix:") else f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._address = (host, port)
        self._max_frame = max_frame
        self._sock: socket.socket | None = None
        self._busy = False

    def close(self) -> None:
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def ready(self, deadline: Deadline) -> None:
        """See to it that there is a connection, and that nothing waits on it to be read.

        A server that was restarted has closed the one there was. Nothing has been sent on it for this exchange, so a
        new one can execute nothing twice.
        """
        if self._busy:
            raise RuntimeError(f"another call to {self.peer} is under way; threads and greenlets need a client each")
        if self._sock is not None and not _quiet(self._sock):
            self.close()
        if self._sock is None:
            deadline.phase = "connecting"
            try:
                self._sock = self._connected(deadline)
            except (OSError, UnicodeError, TransportError) as error:
                reason = getattr(error, "strerror", None) or error
                raise TransportError(f"cannot connect to {self.peer}: {reason}") from None

    def exchange(self, request: bytes, deadline: Deadline, answered: bool) -> bytes | None:
        """Send a frame; the one that comes back, unless none is to be ``answered``. ``ready`` comes first."""
        sock = self._sock
        assert sock is not None
        self._busy = True
        try:
            self._send(sock, request, deadline, answered)
            return self._receive(sock, deadline) if answered else None
        except BaseException:
            self.close()  # interrupted half-way: what is still to arrive must not answer the next call
            raise
        finally:
            self._busy = False

    def _connected(self, deadline: Deadline) -> socket.socket:
        """A connection to the first address that takes it; each may use its part of the time that is left."""
        host, port = self._address
        if host.startswith("unix:"):
            return _connect(socket.AF_UNIX, host.removeprefix("unix:"), deadline, 1)
        found = socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)
        problem: Exception = OSError("the name has no address")
        for place, (family, _, _, _, address) in enumerate(found):
            try:
                sock = _connect(family, address, deadline, len(found) - place)
            except (OSError, TransportError) as error:
                problem = error
            else:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock
        raise problem

    def _send(self, sock: socket.socket, request: bytes, deadline: Deadline, answered: bool) -> None:
        deadline.phase = f"sending the request of {len(request)} bytes"
        sock.settimeout(deadline.left())
        try:
            sock.sendall(request)  # the timeout is that of all of it
        except TimeoutError:
            raise deadline.passed() from None
        except OSError as error:
            broken = TransportError(f"the connection broke while {deadline.phase}: {error.strerror or error}")
            if not answered or not _said(sock):
                raise broken from None  # else what the server had to say about it stands before the end

    def _receive(self, sock: socket.socket, deadline: Deadline) -> bytes:
        deadline.phase = "waiting for the reply"
        (size,) = _length.unpack(self._exactly(sock, 4, deadline))
        if size > self._max_frame and size < _TEXT:
            raise TransportError(
                f"the reply has {size} bytes, more than this client's max_frame ({self._max_frame}); "
                "give it a larger one: Client(..., max_frame=), `thriftserver call --max-frame`"
            )
        if size < 0 or size > self._max_frame:
            start = _length.pack(size)
            what = "which is no length of a frame; is it a framed Thrift server?"
            raise TransportError(f"the answer starts with {start!r}, {what}")
        deadline.phase = f"receiving the reply of {size} bytes"
        return self._exactly(sock, size, deadline)

    @staticmethod
    def _exactly(sock: socket.socket, size: int, deadline: Deadline) -> bytes:
        buffer = bytearray(size)
        view, got = memoryview(buffer), 0
        try:
            while got < size:
                sock.settimeout(deadline.left())
                count = sock.recv_into(view[got:])
                if count == 0:
                    raise TransportError(f"the server closed the connection while {deadline.phase}")
                got += count
        except TimeoutError:
            raise deadline.passed() from None
        except OSError as error:
            raise TransportError(f"the connection broke while {deadline.phase}: {error.strerror or error}") from None
        return bytes(buffer)


def _connect(family: int, address: Any, deadline: Deadline, share: int) -> socket.socket:
    """A connection to this address, in one of ``share`` parts of the time that is left."""
    sock = socket.socket(family)
    try:
        left = deadline.left()
        sock.settimeout(None if left is None else left / share)
        sock.connect(address)
    except TimeoutError:
        sock.close()
        raise deadline.passed() from None
    except BaseException:
        sock.close()
        raise
    return sock


def _quiet(sock: socket.socket) -> bool:
    """Is the connection open, with nothing to be read?"""
    try:
        sock.settimeout(0)
        sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        pass
    return False


def _said(sock: socket.socket) -> bool:
    """Has the server sent anything before the connection broke?"""
    try:
        sock.settimeout(0)
        return sock.recv(1, socket.MSG_PEEK) != b""
    except OSError:
        return False
