"""The bytes of one connection on an asyncio loop: a request out, and the message that comes back."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any, cast

from thriftserver.errors import TransportError

if TYPE_CHECKING:
    from thriftserver.client.conversation import Conversation
    from thriftserver.client.deadline import Deadline


#: Bytes that a connection keeps room for, and the most that a message gets which says that it is larger.
INBOX, LARGE = 1 << 14, 1 << 20


class Line(asyncio.BufferedProtocol):
    """A connection with at most one exchange at a time, over ``sock``, which nobody else reads.

    ``lost`` is done when nothing is left of it.
    """

    def __init__(self, sock: socket.socket, conversation: Conversation) -> None:
        self.sock = sock
        self._loop = asyncio.get_running_loop()
        self.lost: asyncio.Future[None] = self._loop.create_future()
        self._conversation = conversation
        self._transport: Any = None
        #: No further exchange may begin.
        self._spoilt = False
        #: There are bytes of the request that the kernel has not taken yet.
        self._full = False
        self._deadline: Deadline = cast("Deadline", None)
        self._answered = False
        self._answer: asyncio.Future[bytes | None] | None = None
        self._inbox = self._room = memoryview(bytearray(INBOX))
        self._held: bytearray | None = None
        self._alarm: asyncio.TimerHandle | None = None

    def usable(self) -> bool:
        """Is the connection open, with nothing to be read? The loop may not have come to look."""
        if self._spoilt or self._answer is not None:  # which nobody waits for any more
            return False
        try:
            self.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def ask(self, request: bytes, deadline: Deadline, answered: bool) -> asyncio.Future[bytes | None] | None:
        """Send a request. The message that comes back is to be awaited, or the end of a request without one.

        None where that has left already. Whoever does not wait to the end has to close. Raises TransportError.
        """
        deadline.enter("sending", len(request))
        left = deadline.left()
        if self._spoilt:  # a server that has no place for it may close as soon as it has accepted
            raise deadline.deserted("")
        self._deadline = deadline
        self._answered = answered
        self._transport.write(request)
        if not (self._full or self._transport.is_closing()):
            self._left()
            if not answered:
                return None
        answer = self._answer = self._loop.create_future()
        if left is not None:
            self._watch(left)
        return answer

    def close(self) -> None:
        """At once; what is under way fails."""
        self._spoilt = True
        if not is_running(self._loop):  # it has ended, or it is that of the process which has forked this one
            self.sock.close()
            return
        if self._answer is not None:
            self._fail(TransportError(f"the client was closed while {self._deadline.doing}"))
        self._transport.abort()

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._transport.set_write_buffer_limits(0)  # so that it says when all has left

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        if self._answer is not None:
            self._left()
            if not self._answered:
                self._end(None)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._room

    def buffer_updated(self, count: int) -> None:
        if self._answer is not None and self._answered:
            self._take(bytes(self._room[:count]))
        else:
            self._unasked()

    def eof_received(self) -> bool:
        if self._answer is not None and self._answered:
            held = self._held or b""
            if self._conversation.closed(held):
                self._take(b"")
            else:
                self._fail(self._deserted())
        self._spoilt = True
        return self._answer is not None  # a request without an answer may still leave

    def connection_lost(self, error: Exception | None) -> None:
        self._spoilt = True
        if isinstance(error, OSError):
            self._rescue()
        if self._answer is not None:
            self._fail(self._deadline.failed(error) if isinstance(error, OSError) else error or self._deserted())
        if self._alarm is not None:
            self._alarm.cancel()
        if not self.lost.done():
            self.lost.set_result(None)

    # One exchange.

    def _left(self) -> None:
        """The kernel has all of the request."""
        self._deadline.sent = True
        if self._answered:
            self._deadline.enter("waiting")

    def _unasked(self) -> None:
        """Something was said that is no answer."""
        if self._answer is None:
            self.close()  # it must not answer the next call
        else:
            self._spoilt = True

    def _take(self, data: bytes | bytearray) -> None:
        """The bytes that come next."""
        if self._held is not None:
            self._held += data
            data = self._held
        try:
            size = self._conversation.measure(data)
        except TransportError as problem:
            self._fail(problem)
            return
        if not size:
            self._go_on(data)
            return
        if self._full or size < len(data):
            self._spoilt = True  # the rest of a request would be no next one, nor what else was said its answer
        self._end(data if data.__class__ is bytes and size == len(data) else bytes(memoryview(data)[:size]))

    def _go_on(self, data: bytes | bytearray) -> None:
        """Make room for what is still to come."""
        if self._held is None:
            self._held = bytearray(data)
        claimed = self._conversation.claimed(data)
        if claimed:
            self._deadline.enter("receiving", claimed)
        wanted = min(claimed - len(data), LARGE)
        if wanted > len(self._room):
            self._room = memoryview(bytearray(wanted))

    def _deserted(self) -> TransportError:
        return self._deadline.deserted(self._conversation.hint(self._held or b""))

    def _rescue(self) -> None:
        """What the server said before the connection broke may not have been read yet."""
        try:
            while self._answer is not None and self._answered and (data := self.sock.recv(LARGE)):
                self._take(data)
        except OSError:
            pass

    def _watch(self, left: float) -> None:
        """See to it that somebody looks when so many seconds have passed. An alarm that is there rings early enough."""
        if self._alarm is not None:
            if self._alarm.when() <= self._loop.time() + left:
                return
            self._alarm.cancel()
        self._alarm = self._loop.call_later(left, self._look)

    def _look(self) -> None:
        """Is the time of the exchange over? It may be another one than that for which the alarm was set."""
        self._alarm = None
        if self._answer is None:
            return
        try:
            left = self._deadline.left()
        except TransportError as passed:
            self._fail(passed)
        else:
            if left is not None:
                self._watch(left)

    def _end(self, message: bytes | None) -> None:
        answer, self._answer, self._held, self._room = self._answer, None, None, self._inbox
        if answer is not None and not answer.done():
            answer.set_result(message)
        if self._spoilt:
            self.close()

    def _fail(self, error: Exception) -> None:
        answer, self._answer, self._held, self._room = self._answer, None, None, self._inbox
        self._spoilt = True
        if answer is not None and not answer.done():
            answer.set_exception(error)


def is_running(loop: asyncio.AbstractEventLoop) -> bool:
    """Does this loop run whoever asks?"""
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
