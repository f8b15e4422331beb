"""Addresses of servers, as people write them: ``host``, ``host:port``, ``[::1]:9090``, ``unix:/path``."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from typing import NamedTuple

PORT = 9090
_TCP = re.compile(r"(?:\[(?P<v6>[^\]]*)\]|(?P<host>[^:\[\]/]*))(?::(?P<port>[^:]*))?")


class Address(NamedTuple):
    """One place to connect to; ``host`` is ``unix:/path`` and ``port`` 0 for a socket in the file system.

    ``weight`` is its share of the calls, measured against those of the other places of the same name. ``of`` is the
    name that was asked for, where ``host`` is only what it stands for.
    """

    host: str
    port: int
    weight: float = 1.0
    of: str = ""

    def __str__(self) -> str:
        if self.is_unix:
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def name(self) -> str:
        """Whose certificate a server there has to show; empty for a socket in the file system, which is nobody's."""
        return self.of or ("" if self.is_unix else self.host)

    @property
    def is_unix(self) -> bool:
        return self.host.startswith("unix:")


def read_address(text: str, port: int | None = None) -> Address:
    """An address out of its text, with this ``port`` (``PORT`` if that is None) where the text names none.

    Raises ValueError, which says how addresses are written.
    """
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        if path.startswith("///"):  # as a URL
            path = path.removeprefix("//")
        if not path:
            raise ValueError(f"{text!r} names no path; write unix:/path")
        return Address(f"unix:{path}", 0)
    if ":" in text and "[" not in text and text.count(":") > 1 and "/" not in text:  # an IPv6 address as it is
        return Address(text, _port(PORT if port is None else port, text))
    found = _TCP.fullmatch(text)
    if found is None or not (found["v6"] or found["host"]):
        raise ValueError(f"{text!r} is no address; write HOST:PORT, [::1]:PORT or unix:/path")
    named = found["port"]
    return Address(
        found["v6"] or found["host"], _port((PORT if port is None else port) if named is None else named, text)
    )


def shuffled(addresses: Sequence[Address]) -> list[Address]:
    """The same in another order each time, so that equal servers share connections."""
    return random.sample(addresses, len(addresses))


def _port(port: str | int, text: str) -> int:
    number = int(port) if isinstance(port, int) or (port.isascii() and port.isdigit()) else -1
    if not 0 < number < 1 << 16:
        raise ValueError(f"{text!r}: the port must be a number from 1 to 65535, got {port!r}")
    return number
