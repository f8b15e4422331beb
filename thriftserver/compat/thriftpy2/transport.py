"""What a client of thriftpy2 imports of ``thriftpy2.transport``."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from thriftserver.client.tls import Tls
from thriftserver.compat.faults import TTransportException
from thriftserver.compat.link import Link, Part
from thriftserver.compat.parts import (
    TBufferedTransport,
    TBufferedTransportFactory,
    TFramedTransport,
    TFramedTransportFactory,
)

if TYPE_CHECKING:
    import ssl

TCyBufferedTransport = TBufferedTransport
TCyBufferedTransportFactory = TBufferedTransportFactory
TCyFramedTransport = TFramedTransport
TCyFramedTransportFactory = TFramedTransportFactory

__all__ = [
    "TBufferedTransport",
    "TBufferedTransportFactory",
    "TCyBufferedTransport",
    "TCyBufferedTransportFactory",
    "TCyFramedTransport",
    "TCyFramedTransportFactory",
    "TFramedTransport",
    "TFramedTransportFactory",
    "TSSLSocket",
    "TSocket",
    "TTransportException",
]


class TSocket(Part):
    """A connection to ``host`` and ``port``, or to ``unix_socket``. Timeouts are in milliseconds, 0 or None for none.

    ``socket_timeout`` is for each call as a whole. All addresses of a host are tried, whatever ``socket_family`` says.
    """

    def __init__(
        self,
        host: str | None = None,
        port: int | None = None,
        unix_socket: str | None = None,
        sock: None = None,
        socket_family: socket.AddressFamily = socket.AF_INET,
        socket_timeout: int | None = 3000,
        connect_timeout: int | None = None,
    ) -> None:
        if sock is not None:
            raise ValueError("connections are made here: give the socket a host and a port instead of sock=")
        super().__init__(Link(host, port, unix_socket, raw=True))
        self.set_timeout(socket_timeout)
        if connect_timeout:
            self.link.connect_timeout = connect_timeout / 1000


class TSSLSocket(TSocket):
    """A connection over TLS. Without ``cafile`` and ``capath``, the system says who vouches for servers.

    The name in a server's certificate is held against ``host``. Raises ValueError for what cannot be used.
    """

    def __init__(
        self,
        host: str,
        port: int,
        socket_family: socket.AddressFamily = socket.AF_INET,
        socket_timeout: int | None = 3000,
        connect_timeout: int | None = None,
        ssl_context: ssl.SSLContext | None = None,
        validate: bool = True,
        cafile: str | None = None,
        capath: str | None = None,
        certfile: str | None = None,
        keyfile: str | None = None,
        ciphers: str | None = None,
    ) -> None:
        super().__init__(host, port, socket_timeout=socket_timeout, connect_timeout=connect_timeout)
        if ssl_context is not None:
            self.link.tls = Tls(context=ssl_context)
            return
        if cafile and capath:
            raise ValueError("give cafile or capath, not both")
        self.link.tls = Tls(
            ca=(validate and (cafile or capath)) or "",
            cert=certfile or "",
            key=keyfile or "",
            insecure=not validate,
            ciphers=ciphers or "",
        )
