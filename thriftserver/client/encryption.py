"""TLS on one connection, sans-IO: what its server says and is told goes in and comes out as bytes."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from thriftserver.errors import HandshakeRefused

#: Bytes of the longest record, which is what one read gives at most.
RECORD: Final = 1 << 14
#: Bytes that are encrypted at once: what is on its way stands in memory twice.
PIECE: Final = 1 << 18

#: Alerts that end a handshake, by the end of their names in OpenSSL, and what they say.
_ALERTS: Final = {
    "CERTIFICATE_REQUIRED": "it asks for a certificate; give Tls(cert=, key=), or --cert and --key",
    "UNKNOWN_CA": "it does not know who vouches for this client's certificate",
    "BAD_CERTIFICATE": "it takes this client's certificate for wrong",
    "CERTIFICATE_EXPIRED": "this client's certificate has expired",
    "CERTIFICATE_REVOKED": "this client's certificate was revoked",
    "CERTIFICATE_UNKNOWN": "it takes this client's certificate for wrong",
    "UNSUPPORTED_CERTIFICATE": "it cannot use a certificate of this client's kind",
    "ACCESS_DENIED": "it does not let in whom this client's certificate is for",
    "DECRYPT_ERROR": "it could not verify this client's certificate",
    "HANDSHAKE_FAILURE": "they agree on no cipher, or it asks for a certificate that this client does not show",
    "PROTOCOL_VERSION": "it speaks no version of TLS that this client does",
    "UNRECOGNIZED_NAME": "it has no certificate for the name that it was asked for",
}
_NO_TLS: Final = "the server does not speak TLS"
_HUNG_UP: Final = "the server hung up; does it speak TLS?"


class Encryption:
    """The client's end of TLS with a server that must be ``name``, going on with ``session`` if there is one.

    What is to be sent at any time is ``leaving``. ``ended``: the server has said good-bye. ``keep`` is given the
    session, once. Raises ConnectionError, which says what the server has done.
    """

    __slots__ = ("_incoming", "_keep", "_outgoing", "_problem", "_tls", "ended")

    def __init__(
        self,
        context: ssl.SSLContext,
        name: str,
        session: ssl.SSLSession | None,
        keep: Callable[[ssl.SSLSession], object],
    ) -> None:
        self.ended = False
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._keep: Callable[[ssl.SSLSession], object] | None = keep
        self._problem: ConnectionError | None = None
        try:
            self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name or None, session=session)
        except (ValueError, TypeError, ssl.SSLError) as error:
            raise ConnectionError(f"TLS handshake: {name!r} can be nobody's name ({error})") from None

    def shake(self, data: bytes | None = None) -> bool:
        """Go on with the handshake, with what has come: none at the end of the stream. Is it done?"""
        if data is not None:
            self._arrived(data)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            raise ConnectionError(f"TLS handshake: {why(error)}") from None
        return True

    @property
    def connection(self) -> ssl.SSLObject:
        """What the standard library tells of it: the version, the server's certificate."""
        return self._tls

    def leaving(self) -> bytes:
        """What has to be sent now, if anything."""
        return self._outgoing.read()

    def encrypt(self, data: bytes | memoryview) -> bytes:
        """What to send for this."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._tls.write(rest) :]
        except ssl.SSLError as error:
            raise ConnectionError(why(error)) from None
        return self._outgoing.read()

    def decrypt(self, data: bytes) -> bytes:
        """What the server has said with what has come, nothing where no record is whole; none has come at the end of
        the stream, which is none of TLS's without a good-bye.
        """
        if self._problem is not None:
            raise self._problem
        self._arrived(data)
        said: list[bytes] = []
        try:
            while piece := self._tls.read(RECORD):
                said.append(piece)
                if not (self._incoming.pending or self._tls.pending()):
                    break
            else:
                self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLError as error:
            self._problem = self._broken(error)
            if not said:
                raise self._problem from None
        if said and self._keep is not None:
            self._keep_session()
        return said[0] if len(said) == 1 else b"".join(said)

    def bye(self) -> bytes:
        """TLS's own good-bye, to be sent before the end."""
        with suppress(ssl.SSLError, ValueError):  # that the other one's has not come is said so, too
            self._tls.unwrap()
        return self._outgoing.read()

    def _arrived(self, data: bytes) -> None:
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def _broken(self, error: ssl.SSLError) -> ConnectionError:
        """In TLS 1.3 a client has shaken hands before its server has; until that has, it executes nothing."""
        if self._keep is not None and (known := _alert(error)):
            return HandshakeRefused(known)
        if isinstance(error, ssl.SSLEOFError):
            return ConnectionError("the server closed the connection without TLS's good-bye")
        return ConnectionError(why(error))

    def _keep_session(self) -> None:
        """Tickets have come with the first answer, if there are any."""
        session, keep, self._keep = self._tls.session, self._keep, None
        if session is not None and keep is not None:
            keep(session)


def why(error: ssl.SSLError) -> str:
    """What OpenSSL says, for who has to mend it."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is refused: {error.verify_message.rstrip('.')}"
    if isinstance(error, ssl.SSLEOFError):
        return _HUNG_UP
    if known := _alert(error):
        return f"the server refuses: {known}"
    reason = getattr(error, "reason", None) or ""
    if reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        return _NO_TLS
    return f"TLS: {(reason or str(error.args[-1])).replace('_', ' ').lower()}"


def _alert(error: ssl.SSLError) -> str:
    _, _, name = (getattr(error, "reason", None) or "").partition("_ALERT_")
    return _ALERTS.get(name, "")
