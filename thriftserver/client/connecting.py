"""Which of several servers is connected to, and in which part of the time: one procedure, however its steps wait.

It is a coroutine, and waits in nothing but its ``Door``.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from thriftserver.client.limit import end_of, left_until
from thriftserver.client.lines import new_line
from thriftserver.errors import TransportError
from thriftserver.keepalive import keep_alive

if TYPE_CHECKING:
    import ssl

    from thriftserver.client.deadline import Deadline
    from thriftserver.client.encryption import Encryption
    from thriftserver.client.line import Line as SyncLine
    from thriftserver.client.tls import Tls
    from thriftserver.discovery.addresses import Address
    from thriftserver.discovery.resolvers import Resolver


class Bare(Protocol):
    """A connection, of which nothing was made yet."""

    @property
    def sock(self) -> socket.socket: ...

    def close(self) -> object: ...


Opened = TypeVar("Opened", bound=Bare)
Line = TypeVar("Line", covariant=True)
#: A family of sockets, and an address that it connects to.
Found = tuple[int, Any]
#: Bytes to ask for of a handshake.
INBOX = 1 << 14


class Door(Protocol[Opened, Line]):
    """How each step is done. Timeouts are in seconds, None for any; TimeoutError is raised when one is over.

    ``keepalive`` is in seconds, 0 for none; ``tls`` None for none.
    """

    @property
    def keepalive(self) -> float: ...

    @property
    def tls(self) -> Tls | None: ...

    async def resolve(self, where: Resolver, timeout: float | None) -> Sequence[Address]:
        """What a resolver finds. Raises OSError."""

    async def look_up(self, host: str, port: int, timeout: float | None) -> Sequence[Found]:
        """The addresses of a host. Raises OSError and UnicodeError."""

    async def open(self, family: int, address: Any, timeout: float | None) -> Opened:
        """A connection. Raises OSError."""

    async def send(self, opened: Opened, data: bytes, timeout: float | None) -> None:
        """All of it. Raises OSError."""

    async def receive(self, opened: Opened, timeout: float | None) -> bytes:
        """What comes next, none at the end of the stream. Raises OSError."""

    async def line(self, opened: Opened, encryption: Encryption | None) -> Line:
        """What calls are made on. Raises OSError."""


async def connected(where: Resolver, deadline: Deadline, door: Door[Opened, Line]) -> tuple[Address, Line]:
    """A connection to the first server that takes it, in the resolver's order; each has its part of the time.

    Raises TransportError.
    """
    deadline.enter("resolving")
    try:
        addresses = list(await door.resolve(where, deadline.left()))
    except TimeoutError:
        raise deadline.passed() from None
    except OSError as error:
        raise TransportError(str(error), "", deadline.phase, executed=False) from None
    problem: TransportError | None = None
    for place, address in enumerate(addresses):
        try:
            return address, await _connected(address, deadline, len(addresses) - place, door)
        except TransportError as error:
            problem = error
    if problem is None:
        raise TransportError("there is no server to connect to", "", deadline.phase, executed=False)
    if len(addresses) > 1:
        problem.args = (f"{problem} ({len(addresses)} servers tried)",)
    raise problem


async def _connected(address: Address, deadline: Deadline, share: int, door: Door[Opened, Line]) -> Line:
    """A connection to this address, in one of ``share`` parts of the time that is left."""
    try:
        if address.is_unix:
            found: Sequence[Found] = [(socket.AF_UNIX, address.host.removeprefix("unix:"))]
        else:
            found = await _looked_up(address, deadline, share, door)
        problem: Exception = OSError("the name has no address")
        for place, (family, numbers) in enumerate(found):
            part = share * (len(found) - place)
            try:
                opened = await _opened(family, numbers, deadline, part, door)
                return await _made(opened, family, address, deadline, part, door)
            except (OSError, TransportError) as error:
                problem = error
        raise problem
    except (OSError, UnicodeError, TransportError) as error:
        reason = getattr(error, "strerror", None) or error
        text = f"cannot connect to {address}: {reason}"
        raise TransportError(text, str(address), deadline.phase, executed=False) from None


async def _looked_up(address: Address, deadline: Deadline, share: int, door: Door[Opened, Line]) -> Sequence[Found]:
    deadline.enter("resolving")
    try:
        return await door.look_up(address.host, address.port, _part(deadline, share))
    except TimeoutError:
        raise deadline.passed() from None


async def _opened(family: int, address: Any, deadline: Deadline, share: int, door: Door[Opened, Line]) -> Opened:
    deadline.enter("connecting")
    try:
        return await door.open(family, address, _part(deadline, share))
    except TimeoutError as error:
        if error.errno:  # the kernel has given up, which has a limit of its own
            raise
        raise deadline.passed() from None


async def _made(
    opened: Opened, family: int, address: Address, deadline: Deadline, share: int, door: Door[Opened, Line]
) -> Line:
    """What calls are made on, of a connection to this address."""
    try:
        if family != socket.AF_UNIX:
            opened.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if door.keepalive:
                keep_alive(opened.sock, door.keepalive)
        encryption = None
        if door.tls is not None:
            deadline.enter("handshaking")
            encryption = door.tls.begin(address)
            try:
                await _shake(opened, encryption, _part(deadline, share), door)
            except TimeoutError as error:
                if error.errno:  # as where it connects
                    raise
                raise deadline.passed() from None
        return await door.line(opened, encryption)
    except BaseException:
        opened.close()
        raise


async def _shake(opened: Opened, encryption: Encryption, timeout: float | None, door: Door[Opened, Line]) -> None:
    """TLS's handshake. Raises OSError."""
    end = end_of(timeout)
    data, done = None, False
    while not done:
        try:
            done = encryption.shake(data)
        except ConnectionError:
            with contextlib.suppress(OSError):  # the server is told why
                await door.send(opened, encryption.leaving(), left_until(end))
            raise
        try:
            if leaving := encryption.leaving():
                await door.send(opened, leaving, left_until(end))
            if not done:
                data = await door.receive(opened, left_until(end))
        except ConnectionError:
            if done:
                raise
            data = b""  # it is an end like others


def _part(deadline: Deadline, share: int) -> float | None:
    left = deadline.left()
    return None if left is None else left / share


class _Blocking:
    """Each step blocks the thread, or the greenlet."""

    def __init__(self, keepalive: float, tls: Tls | None) -> None:
        self.keepalive = keepalive
        self.tls = tls

    async def resolve(self, where: Resolver, timeout: float | None) -> Sequence[Address]:
        return where.addresses(timeout)

    async def look_up(self, host: str, port: int, timeout: float | None) -> Sequence[Found]:
        return [(found[0], found[4]) for found in socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM)]

    async def open(self, family: int, address: Any, timeout: float | None) -> SyncLine:
        line = new_line(family)
        try:
            line.connect(address, timeout)
        except BaseException:
            line.close()
            raise
        return line

    async def send(self, opened: SyncLine, data: bytes, timeout: float | None) -> None:
        opened.send(data, timeout)

    async def receive(self, opened: SyncLine, timeout: float | None) -> bytes:
        return opened.receive(INBOX, timeout)

    async def line(self, opened: SyncLine, encryption: Encryption | None) -> SyncLine:
        if encryption is None:
            return opened
        from thriftserver.client.secured import Secured

        return Secured(opened, encryption)


def connect(where: Resolver, deadline: Deadline, keepalive: float, tls: Tls | None) -> tuple[Address, SyncLine]:
    """The same for who blocks: then the coroutine is never suspended."""
    procedure = connected(where, deadline, _Blocking(keepalive, tls))
    try:
        procedure.send(None)
    except StopIteration as done:
        result: tuple[Address, SyncLine] = done.value
        return result
    raise AssertionError("a step has not blocked")


def tls_of(given: bool | Tls | ssl.SSLContext | None) -> Tls | None:
    """What a client's ``tls=`` stands for: ``tls.tls_of``, imported where there is something to say."""
    if not given:
        return None
    from thriftserver.client import tls

    return tls.tls_of(given)
