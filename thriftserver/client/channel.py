"""One connection to one of several servers: requests out and replies in, each exchange within one deadline.

It knows addresses and time, and nothing of what a message holds, nor of how its line waits. One source: it runs on
plain CPython, and Cython compiles it, with ``_channel.pxd``, into the module ``_channel``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from thriftserver.client.connecting import connect
from thriftserver.discovery.resolvers import Resolver
from thriftserver.errors import TransportError, WireError

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if TYPE_CHECKING:
    from thriftserver.client.tls import Tls
    from thriftserver.codec.plan import MethodPlan

if not cython.compiled:
    from thriftserver.client.conversation import Conversation
    from thriftserver.client.deadline import Deadline
    from thriftserver.client.line import Line

#: Bytes to ask the kernel for: most replies are one read, and large ones a few.
INBOX, LARGE = 1 << 16, 1 << 20


class Channel:
    """A connection that is made when it is needed, and closed by whatever goes wrong in an exchange.

    ``keepalive`` is after how many seconds of silence the kernel asks whether the server is still there, 0 for never;
    ``tls`` is on what terms it is encrypted, None for not at all. Calls come one after the other. Raises
    TransportError.
    """

    __slots__ = ("_busy", "_conversation", "_keepalive", "_line", "_tls", "_where", "peer")

    def __init__(self, where: Resolver, conversation: Conversation, keepalive: float, tls: Tls | None) -> None:
        self.peer = ""
        self._where = where
        self._conversation = conversation
        self._keepalive = keepalive
        self._tls = tls
        self._line: Line | None = None
        self._busy = False

    def close(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None

    def abort(self) -> None:
        """Have an exchange fail that is under way in another thread or greenlet."""
        line = self._line
        if line is not None:
            line.abort()

    def ready(self, deadline: Deadline) -> None:
        """See to it that there is a connection, and that nothing waits on it to be read.

        A server that was restarted has closed the one there was. Nothing has been sent on it for this exchange, so a
        new one can execute nothing twice.
        """
        if self._busy:
            raise RuntimeError(f"another call to {self.peer} is under way; threads and greenlets need a client each")
        line = self._line
        if line is not None and (self._conversation.over() or not (line.usable() and line.quiet())):
            self.close()
        if self._line is None:
            address, self._line = connect(self._where, deadline, self._keepalive, self._tls)
            self.peer = str(address)
            self._conversation.again(self.peer)

    def call(self, plan: MethodPlan, args: Sequence[Any], deadline: Deadline) -> Any:
        """One call of a method. Raises what is in the reply, EncodeError, and TransportError."""
        conversation = self._conversation
        self.ready(deadline)
        try:
            message = self._exchange(plan, args, deadline)
            return None if message is None else conversation.reply(message)
        except (TransportError, WireError) as error:
            self.close()
            raise deadline.told(conversation.called(plan), self.peer, error) from None

    def _exchange(self, plan: MethodPlan, args: Sequence[Any], deadline: Deadline) -> bytes | None:
        """Send a request; the message that comes back, unless there is none to wait for."""
        conversation, line = self._conversation, self._line
        assert line is not None
        self._busy = True
        try:
            request = conversation.call(plan, args, deadline.infos() if conversation.takes_infos else None)
            answered = not plan.oneway
            try:
                self._send(line, request, deadline, answered)
                return self._receive(line, deadline) if answered else None
            except BaseException:
                self.close()  # interrupted half-way: what is still to arrive must not answer the next call
                raise
        finally:
            self._busy = False

    def _send(self, line: Line, request: bytes, deadline: Deadline, answered: bool) -> None:
        deadline.enter("sending", len(request))
        try:
            line.send(request, deadline.left())
        except OSError as error:
            failure = deadline.failed(error)
            if isinstance(error, TimeoutError) or not answered or not line.said():
                raise failure from None  # else what the server had to say about it stands before the end
        deadline.sent = True

    def _receive(self, line: Line, deadline: Deadline) -> bytes:
        deadline.enter("waiting")
        conversation = self._conversation
        data = self._some(line, deadline, b"")
        size = conversation.measure(data)
        if size == len(data):
            return data
        held = bytearray(data)
        while size == 0:
            claimed = conversation.claimed(held)
            if claimed:
                deadline.enter("receiving", claimed)
            held += self._some(line, deadline, held, min(max(claimed - len(held), INBOX), LARGE))
            size = conversation.measure(held)
        if size < len(held):
            self.close()  # more than was asked for: it must not answer the next call
        return bytes(held[:size])

    def _some(self, line: Line, deadline: Deadline, held: bytes | bytearray, most: int = INBOX) -> bytes:
        """The bytes that come behind those that are here already; none where a reply ends with the connection."""
        try:
            data = line.receive(most, deadline.left())
        except OSError as error:
            raise deadline.failed(error) from None
        if not data and not self._conversation.closed(held):
            raise deadline.deserted(self._conversation.hint(held))
        return data
