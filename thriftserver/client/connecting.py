"""Which of several servers is connected to, and in which part of the time: one procedure, however its steps wait.

It is a coroutine, and waits in nothing but its ``Door``.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from thriftserver.client.lines import new_line
from thriftserver.errors import TransportError
from thriftserver.keepalive import keep_alive

if TYPE_CHECKING:
    from thriftserver.client.deadline import Deadline
    from thriftserver.client.line import Line as SyncLine
    from thriftserver.discovery.addresses import Address
    from thriftserver.discovery.resolvers import Resolver


class Opened(Protocol):
    """A connection."""

    @property
    def sock(self) -> socket.socket: ...


Line = TypeVar("Line", bound=Opened, covariant=True)
#: A family of sockets, and an address that it connects to.
Found = tuple[int, Any]


class Door(Protocol[Line]):
    """How each step is done. Timeouts are in seconds, None for any; TimeoutError is raised when one is over."""

    async def resolve(self, where: Resolver, timeout: float | None) -> Sequence[Address]:
        """What a resolver finds. Raises OSError."""

    async def look_up(self, host: str, port: int, timeout: float | None) -> Sequence[Found]:
        """The addresses of a host. Raises OSError and UnicodeError."""

    async def open(self, family: int, address: Any, timeout: float | None) -> Line:
        """A connection. Raises OSError."""


async def connected(where: Resolver, deadline: Deadline, keepalive: float, door: Door[Line]) -> tuple[Address, Line]:
    """A connection to the first server that takes it, in the resolver's order; each has its part of the time.

    ``keepalive`` is in seconds, 0 for none. Raises TransportError.
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
            return address, await _connected(address, deadline, len(addresses) - place, keepalive, door)
        except TransportError as error:
            problem = error
    if problem is None:
        raise TransportError("there is no server to connect to", "", deadline.phase, executed=False)
    if len(addresses) > 1:
        problem.args = (f"{problem} ({len(addresses)} servers tried)",)
    raise problem


async def _connected(address: Address, deadline: Deadline, share: int, keepalive: float, door: Door[Line]) -> Line:
    """A connection to this address, in one of ``share`` parts of the time that is left."""
    try:
        if address.is_unix:
            return await _opened(socket.AF_UNIX, address.host.removeprefix("unix:"), deadline, share, door)
        found = await _looked_up(address, deadline, share, door)
        problem: Exception = OSError("the name has no address")
        for place, (family, numbers) in enumerate(found):
            try:
                line = await _opened(family, numbers, deadline, share * (len(found) - place), door)
            except (OSError, TransportError) as error:
                problem = error
            else:
                line.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if keepalive:
                    keep_alive(line.sock, keepalive)
                return line
        raise problem
    except (OSError, UnicodeError, TransportError) as error:
        reason = getattr(error, "strerror", None) or error
        text = f"cannot connect to {address}: {reason}"
        raise TransportError(text, str(address), deadline.phase, executed=False) from None


async def _looked_up(address: Address, deadline: Deadline, share: int, door: Door[Line]) -> Sequence[Found]:
    deadline.enter("resolving")
    try:
        return await door.look_up(address.host, address.port, _part(deadline, share))
    except TimeoutError:
        raise deadline.passed() from None


async def _opened(family: int, address: Any, deadline: Deadline, share: int, door: Door[Line]) -> Line:
    deadline.enter("connecting")
    try:
        return await door.open(family, address, _part(deadline, share))
    except TimeoutError as error:
        if error.errno:  # the kernel has given up, which has a limit of its own
            raise
        raise deadline.passed() from None


def _part(deadline: Deadline, share: int) -> float | None:
    left = deadline.left()
    return None if left is None else left / share


class _Blocking:
    """Each step blocks the thread, or the greenlet."""

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


def connect(where: Resolver, deadline: Deadline, keepalive: float) -> tuple[Address, SyncLine]:
    """The same for who blocks: then the coroutine is never suspended."""
    procedure = connected(where, deadline, keepalive, _Blocking())
    try:
        procedure.send(None)
    except StopIteration as done:
        result: tuple[Address, SyncLine] = done.value
        return result
    raise AssertionError("a step has not blocked")
