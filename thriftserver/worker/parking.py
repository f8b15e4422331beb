"""A client's connection in the worker's own loop: whoever waits for it is parked (``outgoing``).

This one source runs on plain CPython, and Cython compiles it, with ``_parking.pxd``, into the module ``_parking``.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from typing import Any

import gevent

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if not cython.compiled:
    from thriftserver.client.line import Line
    from thriftserver.rpc.within import clock
    from thriftserver.worker.io import receive_some, send_some
    from thriftserver.worker.outgoing import NEVER, End, Outgoing

#: Seconds after which a unix socket whose server's backlog is full is tried again.
FULL = 0.005
#: Nanoseconds for which what the set has told of a connection is as good as a look: a server that closes it may hear of
#: the next request as much later, and that is no longer than bytes are on their way through a network.
FRESH = 50_000


class Parking(Line):
    """A line of which greenlets of the worker's loop wait in its set."""

    __slots__ = ("_end", "_outgoing")

    def __init__(self, outgoing: Outgoing, family: int) -> None:
        end = End(family, outgoing)
        Line.__init__(self, end.sock)
        self._end = end
        self._outgoing = outgoing

    def __del__(self) -> None:
        if self._end.fd >= 0:
            self._outgoing.drop(self._end)

    def connect(self, address: Any, timeout: float | None) -> None:
        until = _until(timeout)
        code = self.sock.connect_ex(address)
        while code == errno.EAGAIN:  # no room in the backlog of a unix socket, and nothing tells when there is
            if clock() / 1e9 >= until:
                raise TimeoutError
            gevent.sleep(FULL)
            code = self.sock.connect_ex(address)
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
        self._outgoing.pump.add(self._end)
        self._end.added = True
        if code:
            self._when_writable(until, self._is_connected)

    def send(self, data: bytes, timeout: float | None) -> None:
        sent = send_some(self._end.sock, self._end.fd, data, 0)
        if sent < len(data):
            self._send_rest(data, sent, _until(timeout))

    def receive(self, most: int, timeout: float | None) -> bytes:
        end = self._end
        until = _until(timeout)
        while True:
            if not end.ready:
                self._outgoing.park(end, until)
            end.ready = False
            data = receive_some(end.sock, end.fd, most)
            if data is None:
                continue
            if end.ending or len(data) == most:  # there may be more, of which nothing will tell
                end.ready = True
            return data

    def usable(self) -> bool:
        return Line.usable(self) and self._outgoing.in_thread()

    def quiet(self) -> bool:
        """As the set has told, if it was asked just now; that is a system call less for each call out."""
        end = self._end
        if not end.ready and clock() - self._outgoing.pump.polled < FRESH:
            return True
        return Line.quiet(self)

    def close(self) -> None:
        if self._outgoing.is_mine():
            self._end.close()
        elif self._end.fd >= 0:
            self._outgoing.drop(self._end)

    def _send_rest(self, data: bytes, sent: int, until: float) -> None:
        def is_sent() -> bool:
            nonlocal sent
            sent += send_some(self._end.sock, self._end.fd, data, sent)
            return sent == len(data)

        self._when_writable(until, is_sent)

    def _is_connected(self) -> bool:
        code = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        try:
            self.sock.getpeername()
        except OSError:
            return False
        return True

    def _when_writable(self, until: float, is_done: Callable[[], bool]) -> None:
        """Try again whenever there may be room."""
        end, outgoing = self._end, self._outgoing
        outgoing.pump.watch(end, True)
        try:
            while not is_done():
                outgoing.park(end, until)
        finally:
            if end.fd >= 0:
                outgoing.pump.watch(end, False)


def _until(timeout: float | None) -> float:
    return NEVER if timeout is None else clock() / 1e9 + timeout
