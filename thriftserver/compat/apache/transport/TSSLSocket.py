"""What a client imports of ``thrift.transport.TSSLSocket``."""

from __future__ import annotations

from typing import Any, Final

from thriftserver.client.tls import Tls
from thriftserver.compat.apache.transport.TSocket import TSocket

__all__ = ["TSSLSocket"]

#: What may follow host and port without a name.
_ORDER: Final = ("validate", "ca_certs", "keyfile", "certfile", "unix_socket", "ciphers")


class TSSLSocket(TSocket):
    """A connection over TLS, with what ``ca_certs``, ``certfile``, ``keyfile``, ``cert_reqs``, ``server_hostname`` and
    ``ciphers`` say, or an ``ssl_context``. Without ``ca_certs``, the system says who vouches for servers.

    It is TLS 1.2 or 1.3, whatever ``ssl_version`` says. Raises ValueError for what cannot be used.
    """

    def __init__(self, host: str | None = "localhost", port: int | None = 9090, *args: Any, **options: Any) -> None:
        given = dict(zip(_ORDER, args, strict=False))
        if host is None and port is None and len(args) == 1:
            given = {"unix_socket": args[0]}
        if len(args) > len(_ORDER) or given.keys() & options.keys():
            raise TypeError(f"TSSLSocket takes {', '.join(_ORDER)} once each, after host and port")
        options |= given
        if options.pop("validate_callback", None) is not None:
            raise ValueError("validate_callback is not called: the name in a certificate is held against the host")
        socket = {name: options.pop(name) for name in ("unix_socket", "socket_keepalive") if name in options}
        super().__init__(host or "localhost", port or 9090, **socket)
        self.link.tls = _terms(options)


def _terms(options: dict[str, Any]) -> Tls:
    """Takes all of the options."""
    name = options.pop("server_hostname", None) or ""
    if context := options.pop("ssl_context", None):
        if options:
            raise ValueError(f"Incompatible arguments: ssl_context and {' '.join(options)}")
        return Tls(context=context, server_name=name)
    options.pop("ssl_version", None)
    verified = bool(options.pop("cert_reqs", options.pop("validate", True)))  # CERT_NONE is 0
    ca = options.pop("ca_certs", None)
    chosen = {
        "ca": ca if verified else None,
        "cert": options.pop("certfile", None),
        "key": options.pop("keyfile", None),
        "ciphers": options.pop("ciphers", None),
    }
    if options:
        raise ValueError(f"Unknown keyword arguments: {' '.join(options)}")
    return Tls(**{key: value for key, value in chosen.items() if value}, server_name=name, insecure=not verified)
