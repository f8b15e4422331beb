"""A client's connection in the worker's own loop: whoever waits for it is parked (``outgoing``)."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

import gevent

from thriftserver.compiled import choose
from thriftserver.worker.outgoing import NEVER, End, Outgoing

if TYPE_CHECKING:
    from thriftserver.client.line import Line
else:
    Line = choose("client.line").Line

#: Seconds after which a unix socket whose server's backlog is full is tried again.
FULL = 0.005


class Parking(Line):
    """A line of which greenlets of the worker's loop wait in its set."""

    def __init__(self, outgoing: Outgoing, family: int) -> None:
        end = End(family, outgoing)
        super().__init__(end.sock)
        self._end = end
        self._outgoing = outgoing

    def __del__(self) -> None:
        if self._end.fd >= 0:
            self._outgoing.drop(self._end)

    def connect(self, address: Any, timeout: float | None) -> None:
        until = _until(timeout)
        code = self.sock.connect_ex(address)
        while code == errno.EAGAIN:  # no room in the backlog of a unix socket, and nothing tells when there is
            if monotonic() >= until:
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
        sent = self._sent(data)
        if sent < len(data):
            self._send_rest(memoryview(data)[sent:], _until(timeout))

    def receive(self, most: int, timeout: float | None) -> bytes:
        end, until = self._end, _until(timeout)
        while True:
            if not end.ready:
                self._outgoing.park(end, until)
            end.ready = False
            try:
                data = self.sock.recv(most)
            except BlockingIOError:
                continue
            if end.ending or len(data) == most:  # there may be more, of which nothing will tell
                end.ready = True
            return data

    def usable(self) -> bool:
        return self._outgoing.is_mine()

    def close(self) -> None:
        if self.usable():
            self._end.close()
        elif self._end.fd >= 0:
            self._outgoing.drop(self._end)

    def _sent(self, data: bytes | memoryview) -> int:
        """How much of it the kernel has taken."""
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0

    def _send_rest(self, rest: memoryview, until: float) -> None:
        def is_sent() -> bool:
            nonlocal rest
            rest = rest[self._sent(rest) :]
            return not rest

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
    return NEVER if timeout is None else monotonic() + timeout
