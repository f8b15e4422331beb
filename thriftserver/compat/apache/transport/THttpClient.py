"""What a client imports of ``thrift.transport.THttpClient``."""

from __future__ import annotations

from thriftserver.compat import overhttp

__all__ = ["THttpClient"]


class THttpClient(overhttp.THttpClient):
    """Calls to a URI, or to a host with a port and a path."""

    def __init__(self, uri_or_host: str, port: int | None = None, path: str | None = None) -> None:
        super().__init__(uri_or_host if port is None else f"http://{uri_or_host}:{port}{path or '/'}", raw=False)
