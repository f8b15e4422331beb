"""Thrift over HTTP as both libraries have it: a transport that is made of a URI."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from thriftserver.client.connecting import tls_of
from thriftserver.compat.link import Link, Part

if TYPE_CHECKING:
    import ssl

    from thriftserver.client.tls import Tls

#: What https is spoken on the terms of, if anything is said of them.
Terms = Callable[[], "Tls | ssl.SSLContext | None"]


class THttpClient(Part):
    """Calls as POST requests to ``http://host:port/path``, or https. A timeout is that of each call as a whole.

    ``tls`` says on which terms https is spoken; it is not asked otherwise.
    """

    def __init__(self, uri: str, raw: bool, tls: Terms) -> None:
        parts = urlsplit(uri)
        if parts.scheme not in ("http", "https"):
            raise ValueError(f"{uri!r}: only http:// and https:// can be called")
        secure = parts.scheme == "https"
        link = Link(parts.hostname, parts.port or (443 if secure else 80), None, raw)
        link.tls = tls_of(tls() or True) if secure else None
        link.path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        super().__init__(link, "http")

    def setCustomHeaders(self, headers: dict[str, str]) -> None:
        """These go along with each request that is made from now on."""
        self.link.headers = dict(headers)
