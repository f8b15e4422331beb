"""What a client imports of ``thrift.transport.THttpClient``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thriftserver.client.tls import Tls
from thriftserver.compat import overhttp

if TYPE_CHECKING:
    import ssl

__all__ = ["THttpClient"]


class THttpClient(overhttp.THttpClient):
    """Calls to a URI, or to a host with a port and a path. An ``ssl_context`` counts more than files."""

    def __init__(
        self,
        uri_or_host: str,
        port: int | None = None,
        path: str | None = None,
        cafile: str | None = None,
        cert_file: str | None = None,
        key_file: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        uri = uri_or_host if port is None else f"http://{uri_or_host}:{port}{path or '/'}"

        def terms() -> Tls | ssl.SSLContext:
            return ssl_context or Tls(ca=cafile or "", cert=cert_file or "", key=key_file or "")

        super().__init__(uri, raw=False, tls=terms)
