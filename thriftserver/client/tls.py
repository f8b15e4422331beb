"""The calling half of TLS: whom a client trusts, and what it shows; ``encryption`` is what comes of it."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Final, cast

from thriftserver.client.encryption import Encryption, why

if TYPE_CHECKING:
    from thriftserver.discovery.addresses import Address

Path = str | os.PathLike[str]
#: Sessions that are kept to be gone on with; more servers than that are met anew each time.
SESSIONS = 256

#: What OpenSSL says of files and ciphers, and what that means here.
_KNOWN: Final = {
    "NO_CERTIFICATE_OR_CRL_FOUND": "there are no certificates in PEM in it",
    "KEY_VALUES_MISMATCH": "the key does not belong to the certificate",
    "PEM lib": "there is no certificate, or no key, in PEM in it",
    "No cipher can be selected": "OpenSSL knows no such cipher",
}


class Tls:
    """How clients meet servers over TLS: ``tls=Tls(ca="ca.pem")``. One may be given to any number of clients.

    ``ca`` is a file of certificates, in PEM, of who vouches for servers, or a folder as OpenSSL has them (without it,
    those that the system trusts); ``cert`` and ``key`` are what the client shows, ``key`` being in ``cert`` if it is
    not given. A server must be ``server_name``, or else the host that was asked for. ``insecure``: any server will do,
    which protects from nobody who can get in between. ``ciphers`` are those of TLS 1.2, as OpenSSL writes them.
    ``context`` is an ``ssl.SSLContext`` in the place of all these but ``server_name``.

    Files are read once, here. Sessions are gone on with. Raises ValueError, which says what cannot be used.
    """

    def __init__(
        self,
        *,
        ca: Path = "",
        cert: Path = "",
        key: Path = "",
        server_name: str = "",
        insecure: bool = False,
        ciphers: str = "",
        context: ssl.SSLContext | None = None,
    ) -> None:
        if key and not cert:
            raise ValueError("key= is of no use without cert=, the certificate that it belongs to")
        if insecure and ca:
            raise ValueError("ca= says whom to trust, and insecure= to trust anybody; give one of them")
        if context is not None and (ca or cert or insecure or ciphers):
            raise ValueError("context= has certificates and a mind of its own: only server_name= goes with it")
        if context is not None and context.protocol == ssl.PROTOCOL_TLS_SERVER:
            raise ValueError("context= is one for servers; make it with ssl.create_default_context()")
        self.server_name = server_name
        self._context = _made(ca, cert, key, insecure, ciphers) if context is None else context
        self._sessions: dict[tuple[str, str], ssl.SSLSession] = {}

    def begin(self, address: Address) -> Encryption:
        """TLS for a connection to this address, before its handshake. Raises ConnectionError."""
        name = self.server_name or address.name
        if not name and self._context.check_hostname:
            raise ConnectionError(f"no certificate is for {address}: say whose it is to be, Tls(server_name=)")
        place = (name, str(address))

        def keep(session: ssl.SSLSession) -> None:
            self._sessions.pop(place, None)
            self._sessions[place] = session  # the latest ones stand last
            for oldest in list(self._sessions)[:-SESSIONS]:
                self._sessions.pop(oldest, None)

        return Encryption(self._context, name, self._sessions.get(place), keep)


def tls_of(given: bool | Tls | ssl.SSLContext) -> Tls:
    """What a client's ``tls=`` stands for. Raises TypeError for what is none of these."""
    if given is True:
        return _usual()
    if isinstance(given, Tls):
        return given
    if hasattr(given, "wrap_bio"):  # gevent's are not the standard library's
        return Tls(context=cast("ssl.SSLContext", given))
    raise TypeError(f"tls= is True, a thriftserver.Tls or an ssl.SSLContext, got {given!r}")


@cache
def _usual() -> Tls:
    return Tls()


def _made(ca: Path, cert: Path, key: Path, insecure: bool, ciphers: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif not ca:
        context.load_default_certs()
    if ca:
        folder = os.path.isdir(ca)
        with _named(f"ca={os.fspath(ca)!r}"):
            context.load_verify_locations(cafile=None if folder else ca, capath=os.fspath(ca) if folder else None)
    if cert:
        with _named(f"cert={os.fspath(cert)!r}" + (f", key={os.fspath(key)!r}" if key else "")):
            context.load_cert_chain(cert, key or None, _nobody)
    if ciphers:
        with _named(f"ciphers={ciphers!r}"):
            context.set_ciphers(ciphers)
    return context


def _nobody() -> str:
    """Who is asked for a passphrase; OpenSSL would ask the terminal."""
    raise ValueError("the key is encrypted; load it into an ssl.SSLContext, and give that as context=")


@contextmanager
def _named(option: str) -> Iterator[None]:
    """What cannot be used is told with the option that it was given as."""
    try:
        yield
    except ssl.SSLError as error:
        known = next((meaning for words, meaning in _KNOWN.items() if words in str(error)), "")
        raise ValueError(f"{option}: {known or why(error)}") from None
    except (OSError, ValueError) as error:
        raise ValueError(f"{option}: {getattr(error, 'strerror', None) or error}") from None
