"""Which names a browser may have used to get here, so that no page of a stranger reads what only its visitor reaches.

A site can have its own name point at this address (DNS rebinding) and then read everything as its own. It cannot do so
with an IP address or with a name that others own, and a browser says in Host which one it followed.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from contextlib import suppress

from thriftserver.admin.http import Refusal
from thriftserver.config import Settings


class Hosts:
    """IP addresses, ``localhost`` and ``names``; one that begins with a dot stands for all names that end so."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {"localhost"}
        self._ends: tuple[str, ...] = ()
        for name in names:
            self.add(name)

    @classmethod
    def of(cls, settings: Settings) -> Hosts:
        """Those of a server: the name that it listens on, the machine's, and those it was told."""
        host = settings.admin.rpartition(":")[0]
        return cls([*settings.admin_host, host, socket.gethostname()])

    def add(self, name: str) -> None:
        name = name.lower().rstrip(".")
        if name.startswith("."):
            self._ends += (name,)
        elif name:
            self._names.add(name)

    def ask_for_own_name(self) -> None:
        """Learn the machine's whole name from whoever resolves names here; that may take as long as it likes."""
        with suppress(OSError, UnicodeError):
            self.add(socket.getaddrinfo(socket.gethostname(), None, flags=socket.AI_CANONNAME)[0][3])

    def require(self, host: str) -> None:
        """Raises Refusal for a name that is not ours."""
        if host in self._names or host.endswith(self._ends):
            return
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise Refusal(
                "403 Forbidden",
                f"the Host {host[:255]!r} is not known here; ask by IP address or as localhost, "
                "or start the server with --admin-host NAME",
            ) from None
