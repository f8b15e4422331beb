"""What a client of thriftpy2 imports of ``thriftpy2.http``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from thriftserver.compat import overhttp
from thriftserver.compat.parts import TBinaryProtocolFactory, TBufferedTransportFactory
from thriftserver.compat.thriftpy2.thrift import TClient
from thriftserver.loading import ServiceApi

if TYPE_CHECKING:
    import ssl

__all__ = ["THttpClient", "THttpHeaderFactory", "client_context", "make_client"]

_BINARY = TBinaryProtocolFactory()
_BUFFERED = TBufferedTransportFactory()


class THttpHeaderFactory:
    """Gives the headers that go along with a request."""

    def __init__(self, headers: dict[str, str] | None = None) -> None:
        self._headers = headers

    def get_headers(self) -> dict[str, str]:
        return self._headers or {}


class THttpClient(overhttp.THttpClient):
    """Calls to a URI. ``timeout`` is in milliseconds. Connections are kept, whatever ``keep_alive`` says."""

    def __init__(
        self,
        uri: str,
        timeout: int | None = None,
        ssl_context_factory: Callable[[], ssl.SSLContext] | None = None,
        http_header_factory: THttpHeaderFactory | None = None,
        keep_alive: bool = True,
    ) -> None:
        super().__init__(uri, True, ssl_context_factory or (lambda: None))
        self.setTimeout(timeout)
        if http_header_factory is not None:
            self.setCustomHeaders(http_header_factory.get_headers())


def make_client(
    service: ServiceApi,
    host: str = "localhost",
    port: int = 9090,
    path: str = "",
    scheme: str = "http",
    proto_factory: Any = _BINARY,
    trans_factory: Any = _BUFFERED,
    ssl_context_factory: Callable[[], ssl.SSLContext] | None = None,
    http_header_factory: THttpHeaderFactory | None = None,
    timeout: int | None = 30_000,
    url: str = "",
    keep_alive: bool = True,
) -> Any:
    """A client that is connected. ``close()`` ends it."""
    uri = url or f"{scheme}://{host}:{port}/{path.removeprefix('/')}"
    http = THttpClient(uri, timeout, ssl_context_factory, http_header_factory, keep_alive)
    trans = trans_factory.get_transport(http)
    protocol = proto_factory.get_protocol(trans)
    trans.open()
    return TClient(service, protocol)


@contextmanager
def client_context(service: ServiceApi, *args: Any, **options: Any) -> Iterator[Any]:
    """``with client_context(...) as client``, with what ``make_client`` takes."""
    client = make_client(service, *args, **options)
    try:
        yield client
    finally:
        client.__close__()
