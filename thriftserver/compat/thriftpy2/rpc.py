"""What a client of thriftpy2 imports of ``thriftpy2.rpc``."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from thriftserver.client.tls import Tls
from thriftserver.compat.parts import TBinaryProtocolFactory, TBufferedTransportFactory
from thriftserver.compat.thriftpy2.thrift import TClient
from thriftserver.compat.thriftpy2.transport import TSocket
from thriftserver.loading import ServiceApi

if TYPE_CHECKING:
    import ssl

__all__ = ["client_context", "make_client"]

_BINARY = TBinaryProtocolFactory()
_BUFFERED = TBufferedTransportFactory()


def make_client(
    service: ServiceApi,
    host: str = "localhost",
    port: int = 9090,
    unix_socket: str | None = None,
    proto_factory: Any = _BINARY,
    trans_factory: Any = _BUFFERED,
    timeout: int | None = 3000,
    cafile: str | None = None,
    ssl_context: ssl.SSLContext | None = None,
    certfile: str | None = None,
    keyfile: str | None = None,
    url: str = "",
    socket_family: socket.AddressFamily = socket.AF_INET,
) -> Any:
    """A client that is connected, over TLS with a ``cafile`` or an ``ssl_context``. ``close()`` ends it.

    ``timeout`` is in milliseconds, for each call as a whole.
    """
    tls = _terms(cafile, ssl_context, certfile, keyfile)
    return _connected(service, host, port, unix_socket, proto_factory, trans_factory, timeout, timeout, tls, url)


@contextmanager
def client_context(
    service: ServiceApi,
    host: str = "localhost",
    port: int = 9090,
    unix_socket: str | None = None,
    proto_factory: Any = _BINARY,
    trans_factory: Any = _BUFFERED,
    timeout: int | None = None,
    socket_timeout: int | None = 3000,
    connect_timeout: int | None = 3000,
    cafile: str | None = None,
    ssl_context: ssl.SSLContext | None = None,
    certfile: str | None = None,
    keyfile: str | None = None,
    url: str = "",
    socket_family: socket.AddressFamily = socket.AF_INET,
) -> Iterator[Any]:
    """``with client_context(...) as client``. Timeouts are in milliseconds; ``timeout`` is both."""
    limits = (timeout, timeout) if timeout else (socket_timeout, connect_timeout)
    tls = _terms(cafile, ssl_context, certfile, keyfile)
    client = _connected(service, host, port, unix_socket, proto_factory, trans_factory, *limits, tls, url)
    try:
        yield client
    finally:
        client.__close__()


def _terms(
    cafile: str | None, ssl_context: ssl.SSLContext | None, certfile: str | None, keyfile: str | None
) -> Tls | None:
    """Of TLS; as there, a certificate alone asks for none."""
    if ssl_context is not None:
        return Tls(context=ssl_context)
    return Tls(ca=cafile, cert=certfile or "", key=keyfile or "") if cafile else None


def _connected(
    service: ServiceApi,
    host: str,
    port: int,
    unix_socket: str | None,
    proto_factory: Any,
    trans_factory: Any,
    socket_timeout: int | None,
    connect_timeout: int | None,
    tls: Tls | None,
    url: str,
) -> Any:
    if url:
        parsed = urlparse(url)
        host, port = parsed.hostname or host, parsed.port or port
    sock = TSocket(host, port, unix_socket, socket_timeout=socket_timeout, connect_timeout=connect_timeout)
    sock.link.tls = None if unix_socket else tls
    protocol = proto_factory.get_protocol(trans_factory.get_transport(sock))
    protocol.trans.open()
    return TClient(service, protocol)
