"""A TLS peer that may be read and written at the same time, by two threads: an SSLSocket of its own cannot."""

from __future__ import annotations

import os
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable
from typing import TypeVar

from tests.harness import PATIENCE, Listening
from tests.server.raw import Peer

T = TypeVar("T")


class Locked:
    """As much of a socket as peers of the storm use. ``sock`` has shaken hands."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._lock = threading.Lock()

    def _do(self, action: Callable[[], T]) -> T:
        while True:
            want = select.POLLIN
            try:
                with self._lock:
                    return action()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLWantWriteError:
                want = select.POLLOUT
            poll = select.poll()
            poll.register(self._sock.fileno(), want)
            if not poll.poll(PATIENCE * 1000):
                raise TimeoutError("the server does not move")

    def recv(self, size: int) -> bytes:
        return self._do(lambda: self._sock.recv(size))

    def sendall(self, data: bytes) -> None:
        while data:
            data = data[self._do(lambda data=data: self._sock.send(data)) :]  # type: ignore[misc]

    def shutdown(self, how: int) -> None:
        """Of the stream below: that of an SSLSocket would forget TLS."""
        with socket.socket(fileno=os.dup(self._sock.fileno())) as below:
            below.shutdown(how)

    def settimeout(self, seconds: float) -> None:
        """It is always ``PATIENCE``."""

    def getsockname(self) -> tuple[str, int]:
        return self._sock.getsockname()  # type: ignore[no-any-return]

    def reset(self) -> None:
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def close(self) -> None:
        self._sock.close()


class LockedPeer(Peer):
    """One connection over TLS."""

    def __init__(self, server: Listening, context: ssl.SSLContext) -> None:
        super().__init__(server)
        try:
            self.sock = Locked(context.wrap_socket(self.sock, server_hostname="localhost"))  # type: ignore[assignment]
        except BaseException:
            self.sock.close()
            raise

    def reset(self) -> None:
        self.sock.reset()  # type: ignore[attr-defined]
