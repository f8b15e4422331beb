"""Thrift over HTTP as both libraries have it: a transport that is made of a URI."""

from __future__ import annotations

from urllib.parse import urlsplit

from thriftserver.compat.link import Link, Part


class THttpClient(Part):
    """Calls as POST requests to ``http://host:port/path``. A timeout is that of each call as a whole."""

    def __init__(self, uri: str, raw: bool) -> None:
        parts = urlsplit(uri)
        if parts.scheme != "http":
            raise ValueError(f"{uri!r}: only http:// can be called")
        link = Link(parts.hostname, parts.port or 80, None, raw)
        link.path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        super().__init__(link, "http")

    def setCustomHeaders(self, headers: dict[str, str]) -> None:
        """These go along with each request that is made from now on."""
        self.link.headers = dict(headers)
