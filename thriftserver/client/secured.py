"""A line on which all is encrypted, over another one that waits in its own way."""

from __future__ import annotations

import socket
from _socket import socket as kernels
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from thriftserver.client.encryption import PIECE
from thriftserver.client.limit import end_of, left_until
from thriftserver.compiled import choose

if TYPE_CHECKING:
    from thriftserver.client.encryption import Encryption
    from thriftserver.client.line import Line
else:
    Line = choose("client.line").Line

#: Bytes to ask for where nobody has said how many.
INBOX: Final = 1 << 16
#: How often to look for what comes that is nothing: a server may have no end of it.
LOOKS: Final = 16


class Secured(Line):
    """What ``inner`` carries once its two ends have shaken hands.

    What was read to see whether there is anything stays in front of what is received next.
    """

    def __init__(self, inner: Line, encryption: Encryption) -> None:
        super().__init__(inner.sock)
        self._inner = inner
        self._encryption = encryption
        self._ahead = b""
        #: The next receive raises it.
        self._problem: OSError | None = None
        #: A record was sent in part; nothing may follow it.
        self._cut = False

    @property
    def encryption(self) -> Encryption:
        return self._encryption

    def send(self, data: bytes, timeout: float | None) -> None:
        end, view = end_of(timeout), memoryview(data)
        self._cut = True
        for start in range(0, len(data), PIECE):
            self._inner.send(self._encryption.encrypt(view[start : start + PIECE]), left_until(end))
        self._cut = False

    def receive(self, most: int, timeout: float | None) -> bytes:
        """What has come, up to so many bytes and a record; none at the end of the stream."""
        end = end_of(timeout)
        while not self._ahead:
            if self._problem is not None:
                raise self._problem
            if self._encryption.ended:
                return b""
            self._ahead = self._said(most, left_until(end))
        data, self._ahead = self._ahead, b""
        return data

    def usable(self) -> bool:
        return self._inner.usable()

    def quiet(self) -> bool:
        """What TLS itself has to say, tickets for one, is read on the way and is nothing."""
        if self._inner.quiet():
            return not self._stirred()
        self._look()
        return not self._stirred() and self._inner.quiet()

    def said(self) -> bool:
        """An alert counts: it says why the connection broke."""
        self._look()
        return bool(self._ahead or self._problem)

    def close(self) -> None:
        """With TLS's good-bye, as far as it leaves at once."""
        if self._inner.fd >= 0 and self.usable() and not (self._cut or self._problem):
            _utter(self._inner.fd, self._encryption.bye())
        self._inner.close()

    def _stirred(self) -> bool:
        """Is there anything to be received, be it an end or an error?"""
        return bool(self._ahead or self._problem or self._encryption.ended)

    def _said(self, most: int, timeout: float | None) -> bytes:
        data = self._encryption.decrypt(self._inner.receive(most, timeout))
        if answer := self._encryption.leaving():
            self._inner.send(answer, timeout)
        return data

    def _look(self) -> None:
        """Read what has come, until it is something that the server has said."""
        try:
            for _ in range(LOOKS):
                if self._stirred() or not self._inner.said():
                    break
                self._ahead = self._said(INBOX, None)
        except OSError as error:
            self._problem = error


def _utter(fd: int, data: bytes) -> None:
    """Send a few bytes; what the kernel does not take at once, nobody hears."""
    sock = kernels(fileno=fd)
    with suppress(OSError):
        sock.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
    sock.detach()
