"""Where on the network a HOST:PORT leads: every address of the name, each as a socket that is bound, on one port.

It listens on none of them, and knows nothing of sockets that are there already.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Collection, Sequence
from typing import Any

from msgspec import Struct

#: What a kernel says of an address that this machine does not have, or of a family that it does not speak.
_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
#: Ports that are tried for one that is free at every address.
_PORTS = 20


class Spot(Struct, frozen=True):
    """One address of a name. ``where`` is as the system has it; port 0 stands for any."""

    family: int
    where: tuple[Any, ...]

    @property
    def host(self) -> str:
        return self.where[0]  # type: ignore[no-any-return]

    @property
    def port(self) -> int:
        return self.where[1]  # type: ignore[no-any-return]

    def has(self, sock: socket.socket, any_port: bool = False) -> bool:
        """Is a socket here? ``any_port``: on whatever port, where this one may be on any."""
        if sock.family != self.family:
            return False
        host, port, *_ = sock.getsockname()
        return host == self.host and (port == self.port or (any_port and self.port == 0))

    def at(self, port: int) -> Spot:
        return Spot(self.family, (self.host, port, *self.where[2:]))

    def bind(self, only_ipv6: bool) -> socket.socket:
        """A socket that is bound here. Raises OSError."""
        sock = socket.socket(self.family, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if only_ipv6 and self.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(self.where)
        except BaseException:
            sock.close()
            raise
        return sock


def look_up(host: str, port: int) -> list[Spot]:
    """Every address that a host has, each once; all of this machine's for an empty one. Raises OSError."""
    # As bytes, where that is the same: a text makes Python import its tables of international names first.
    name = host.encode() if host.isascii() else host
    found = socket.getaddrinfo(name or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys(Spot(family, where) for family, _, _, _, where in found))


def bind_all(spots: Sequence[Spot], ipv4: Collection[int], some: bool) -> list[socket.socket | None]:
    """A socket for each, all of them on the port that the first one gets where it may be any.

    None for one that this machine does not have, as long as it has another, or ``some`` are bound already. Where a port
    is among those of ``ipv4``, `[::]` is for IPv6 alone. Raises OSError.
    """
    for left in reversed(range(_PORTS)):
        try:
            return _bind_once(spots, ipv4, some)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not left or any(spot.port for spot in spots):
                raise
    return []


def _bind_once(spots: Sequence[Spot], ipv4: Collection[int], some: bool) -> list[socket.socket | None]:
    bound: list[socket.socket | None] = []
    port, absent = 0, None
    try:
        for spot in spots:
            try:
                sock = spot.at(spot.port or port).bind(spot.port in ipv4)
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                absent = error
                bound.append(None)
            else:
                bound.append(sock)
                port = sock.getsockname()[1]
        if absent and not some and not any(bound):
            raise absent
    except BaseException:
        for each in bound:
            if each:
                each.close()
        raise
    return bound
