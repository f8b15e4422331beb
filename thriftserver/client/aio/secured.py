"""A connection on an asyncio loop, on which all is encrypted once its two ends have shaken hands."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, cast

from thriftserver.client.aio.line import LARGE, Line
from thriftserver.client.encryption import PIECE
from thriftserver.client.secured import LOOKS

if TYPE_CHECKING:
    from thriftserver.client.conversation import Conversation
    from thriftserver.client.deadline import Deadline
    from thriftserver.client.encryption import Encryption


class Secured(Line):
    """What comes from the loop is decrypted on its way to the exchange, what goes to the transport encrypted."""

    def __init__(self, sock: socket.socket, conversation: Conversation, encryption: Encryption) -> None:
        super().__init__(sock, conversation)
        self._encryption = encryption
        #: What has broken the connection; it may be before anybody asks.
        self._problem: ConnectionError | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        encrypting = _Encrypting(cast("asyncio.Transport", transport), self._encryption)
        super().connection_made(cast("asyncio.BaseTransport", encrypting))

    def usable(self) -> bool:
        """What TLS itself has to say, tickets for one, is nothing; the loop may not have come to read it."""
        if self._spoilt or self._answer is not None:
            return False
        try:
            for _ in range(LOOKS):
                if self._encryption.decrypt(self.sock.recv(PIECE)) or self._encryption.ended:
                    break
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def ask(self, request: bytes, deadline: Deadline, answered: bool) -> asyncio.Future[bytes | None] | None:
        if self._problem is not None:
            deadline.enter("sending", len(request))
            raise deadline.failed(self._problem)
        try:
            return super().ask(request, deadline, answered)
        except ConnectionError as error:
            raise deadline.failed(error) from None

    def buffer_updated(self, count: int) -> None:
        try:
            data = self._encryption.decrypt(bytes(self._room[:count]))
        except ConnectionError as error:
            self._broken(error)
            return
        if answer := self._encryption.leaving():
            self._transport.answer(answer)
        if data:
            self._say(data)
        if self._encryption.ended and not super().eof_received():
            self.close()

    def eof_received(self) -> bool:
        """A stream without a good-bye may have been cut by anybody."""
        if not self._encryption.ended:
            try:
                self._encryption.decrypt(b"")
            except ConnectionError as error:
                self._broken(error)
                return False
        return self._answer is not None  # a request without an answer may still leave

    def _rescue(self) -> None:
        while self._answer is not None and self._answered:
            try:
                data = self.sock.recv(LARGE)
            except OSError:
                return
            try:
                said = self._encryption.decrypt(data)
            except ConnectionError as error:
                self._broken(error)
                return
            if said:
                self._take(said)

    def _say(self, data: bytes) -> None:
        if self._answer is not None and self._answered:
            self._take(data)
        else:
            self._unasked()

    def _broken(self, error: ConnectionError) -> None:
        self._problem = error
        self._spoilt = True
        if self._answer is not None:
            self._fail(self._deadline.failed(error))
        self._transport.abort()


class _Encrypting:
    """As much of a transport as a line uses."""

    def __init__(self, below: asyncio.Transport, encryption: Encryption) -> None:
        self._below = below
        self._encryption = encryption
        self.answer = below.write
        self.is_closing = below.is_closing
        self.set_write_buffer_limits: Any = below.set_write_buffer_limits

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        for start in range(0, len(data), PIECE):
            self._below.write(self._encryption.encrypt(view[start : start + PIECE]))

    def abort(self) -> None:
        """With TLS's good-bye, as far as it leaves at once; behind bytes that are still to leave, none does."""
        if not self._below.is_closing() and not self._below.get_write_buffer_size():
            self._below.write(self._encryption.bye())
        self._below.abort()
