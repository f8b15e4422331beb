"""The bytes of one connection, waited for as the standard library's sockets do: by a thread, or by a greenlet where
gevent has patched them.

Who has another way of waiting (a worker's loop) says with ``waiting.lines_from`` what connections are made of instead.
One source: it runs on plain CPython, and Cython compiles it, with ``_line.pxd``, into the module ``_line``.
"""

from __future__ import annotations

import contextlib
import os
import socket
from _socket import socket as kernels
from typing import Any

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if not cython.compiled:
    from thriftserver.client.io import ANYTHING, NOTHING, peek, receive, send

_generation = 0


def renew() -> None:
    """No line that was made until now is used again."""
    global _generation
    _generation += 1


os.register_at_fork(after_in_child=renew)  # two processes on one stream get each other's replies


class Line:
    """A stream socket of its own. Timeouts are in seconds, None for any; TimeoutError is raised when one is over.

    ``sock`` is what options are set on.
    """

    __slots__ = ("born", "fd", "patience", "plain", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        #: Does a wait for it stop the whole thread? What gevent has put there waits otherwise.
        self.plain = isinstance(self.sock, kernels)
        #: Nanoseconds after which the kernel ends a receive by itself; 0 until it was told.
        self.patience = 0
        self.born = _generation

    def connect(self, address: Any, timeout: float | None) -> None:
        self.sock.settimeout(timeout)
        self.sock.connect(address)
        self.sock.settimeout(None)

    def send(self, data: bytes, timeout: float | None) -> None:
        """All of it, within the timeout."""
        send(self, data, timeout)

    def receive(self, most: int, timeout: float | None) -> bytes:
        """What has come, up to so many bytes; none at the end of the stream."""
        return receive(self, most, timeout)

    def usable(self) -> bool:
        """May whoever asks use it?"""
        return self.born == _generation

    def quiet(self) -> bool:
        """Is the connection open, with nothing to be read?"""
        return peek(self) == NOTHING

    def said(self) -> bool:
        """Has the server sent anything before the connection broke?"""
        return peek(self) == ANYTHING

    def abort(self) -> None:
        """End the stream, so that whoever waits for it in another thread or greenlet goes on."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.fd = -1
        self.sock.close()
