"""One connection to one of several servers, on an asyncio loop: calls on it, each within one deadline."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from thriftserver.client.aio.line import Line, is_running
from thriftserver.client.connecting import INBOX, connected
from thriftserver.discovery.resolvers import is_fixed
from thriftserver.errors import TransportError, WireError

if TYPE_CHECKING:
    from thriftserver.client.connecting import Found
    from thriftserver.client.conversation import Conversation
    from thriftserver.client.deadline import Deadline
    from thriftserver.client.encryption import Encryption
    from thriftserver.client.tls import Tls
    from thriftserver.codec.plan import MethodPlan
    from thriftserver.discovery.addresses import Address
    from thriftserver.discovery.resolvers import Resolver


class Home:
    """Which loop it is that things belong to: the first one that asks, and another one only when that has ended."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = 0

    def moved(self, what: object) -> bool:
        """Is it another loop now? Raises RuntimeError while the one before still runs, in another thread."""
        loop = asyncio.get_running_loop()
        if loop is self._loop:
            return False
        if self._loop is not None and self._loop.is_running() and self._process == os.getpid():
            raise RuntimeError(f"{what!r} belongs to another event loop; each needs one of its own")
        self._loop, self._process = loop, os.getpid()
        return True


class Channel:
    """A connection that is made when it is needed, for one call at a time.

    ``keepalive`` is after how many seconds of silence the kernel asks whether the server is still there, 0 for never;
    ``tls`` is on what terms it is encrypted, None for not at all.
    """

    def __init__(self, where: Resolver, conversation: Conversation, keepalive: float, tls: Tls | None) -> None:
        self.peer = ""
        self._where = where
        self._conversation = conversation
        self._keepalive = keepalive
        self._tls = tls
        self._line: Line | None = None
        self._closed = 0

    async def call(self, plan: MethodPlan, args: Sequence[Any], deadline: Deadline) -> Any:
        """One call. Raises what is answered, and TransportError. Whatever else ends it closes the connection."""
        conversation = self._conversation
        line = await self.ready(deadline)
        request = conversation.call(plan, args, deadline.infos() if conversation.takes_infos else None)
        try:
            answer = line.ask(request, deadline, not plan.oneway)
            message = None if answer is None else await answer
            return None if message is None else conversation.reply(message)
        except (TransportError, WireError) as error:
            self.close()
            raise deadline.told(conversation.called(plan), self.peer, error) from None
        except asyncio.CancelledError:
            self.close()
            raise

    def told(self, plan: MethodPlan, deadline: Deadline, error: TransportError) -> TransportError:
        """An error of a call that did not come so far, as its caller is to have it."""
        return deadline.told(self._conversation.called(plan), self.peer, error)

    async def ready(self, deadline: Deadline) -> Line:
        """A connection on which nothing waits to be read. Raises TransportError.

        A server that was restarted has closed the one there was. Nothing has been sent on it for this call, so a new
        one can execute nothing twice.
        """
        found = self._line
        if found is not None and found.usable() and not self._conversation.over():
            return found
        self.close()
        closed = self._closed
        door = _Door(self._conversation, self._keepalive, self._tls)
        address, line = await connected(self._where, deadline, door)
        if closed != self._closed:
            line.close()
            text = f"the client was closed while connecting to {address}"
            raise TransportError(text, str(address), deadline.phase, executed=False)
        self._line = line
        self.peer = str(address)
        self._conversation.again(self.peer)
        return line

    def close(self) -> None:
        """At once; what is under way fails."""
        if self._line is not None:
            self._line.close()
            self._line = None

    async def aclose(self) -> None:
        """The same, also for a connection that is being made. Ends when nothing is left of it."""
        line, self._closed = self._line, self._closed + 1
        self.close()
        if line is not None and is_running(line.lost.get_loop()):
            await asyncio.shield(line.lost)


class _Opened(NamedTuple):
    """A connection that no transport has yet."""

    sock: socket.socket

    def close(self) -> None:
        self.sock.close()


class _Door:
    """Waits for each step in a task."""

    def __init__(self, conversation: Conversation, keepalive: float, tls: Tls | None) -> None:
        self.keepalive = keepalive
        self.tls = tls
        self._conversation = conversation
        self._loop = asyncio.get_running_loop()

    async def resolve(self, where: Resolver, timeout: float | None) -> Sequence[Address]:
        return await addresses_of(where, timeout)

    async def look_up(self, host: str, port: int, timeout: float | None) -> Sequence[Found]:
        for family in (socket.AF_INET, socket.AF_INET6):
            if _is_numeric(family, host):
                return [(family, (host, port))]
        async with asyncio.timeout(timeout):
            found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return [(each[0], each[4]) for each in found]

    async def open(self, family: int, address: Any, timeout: float | None) -> _Opened:
        sock = socket.socket(family)
        try:
            sock.setblocking(False)
            if family == socket.AF_UNIX:
                sock.connect(address)  # that is done at once, or not at all
            else:
                async with asyncio.timeout(timeout):
                    await self._connect(sock, address)
        except BaseException:
            sock.close()
            raise
        return _Opened(sock)

    async def send(self, opened: _Opened, data: bytes, timeout: float | None) -> None:
        async with asyncio.timeout(timeout):
            await self._loop.sock_sendall(opened.sock, data)

    async def receive(self, opened: _Opened, timeout: float | None) -> bytes:
        async with asyncio.timeout(timeout):
            return await self._loop.sock_recv(opened.sock, INBOX)

    async def line(self, opened: _Opened, encryption: Encryption | None) -> Line:
        made: Callable[[], Line] = partial(Line, opened.sock, self._conversation)
        if encryption is not None:
            from thriftserver.client.aio.secured import Secured

            made = partial(Secured, opened.sock, self._conversation, encryption)
        is_unix = opened.sock.family == socket.AF_UNIX
        make: Any = self._loop.create_unix_connection if is_unix else self._loop.create_connection
        line: Line
        _, line = await make(made, sock=opened.sock)
        return line

    async def _connect(self, sock: socket.socket, address: Any) -> None:
        try:
            await self._loop.sock_connect(sock, address)
        except OSError as error:  # asyncio has a text of its own
            raise OSError(error.errno, os.strerror(error.errno or 0)) from None


async def addresses_of(where: Resolver, timeout: float | None) -> Sequence[Address]:
    """What a resolver finds. Raises what it does, and TimeoutError."""
    if is_fixed(where):  # any other may block
        return where.addresses(timeout)
    async with asyncio.timeout(timeout):
        return await asyncio.get_running_loop().run_in_executor(None, where.addresses, timeout)


def _is_numeric(family: int, host: str) -> bool:
    try:
        socket.inet_pton(family, host)
    except OSError:
        return False
    return True
