"""What a client imports of ``thrift.transport.TSocket``."""

from __future__ import annotations

import socket

from thriftserver.compat.link import Link, Part

__all__ = ["TSocket"]

#: Seconds of silence after which the kernel asks whether the server is still there.
_KEEPALIVE = 60.0


class TSocket(Part):
    """A connection to ``host`` and ``port``, or to ``unix_socket``, without a timeout until ``setTimeout`` sets one.

    All addresses of a host are tried, whatever ``socket_family`` says.
    """

    def __init__(
        self,
        host: str = "localhost",
        port: int = 9090,
        unix_socket: str | None = None,
        socket_family: int = socket.AF_UNSPEC,
        socket_keepalive: bool = False,
    ) -> None:
        super().__init__(Link(host, port, unix_socket, raw=False))
        self.host = host
        self.port = port
        self.link.keepalive = _KEEPALIVE if socket_keepalive else None
