"""The calling half of TLS: whom a client trusts, what it shows, and a line on which all is encrypted.

A line is secured once it is connected (``secured``); from then on it is a ``Line`` like another.
"""

from __future__ import annotations

import ssl
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from thriftserver.compiled import choose

if TYPE_CHECKING:
    from thriftserver.client.line import Line
else:
    Line = choose("client.line").Line


class Trust:
    """How a client meets servers; made once for all its connections.

    ``ca`` is a file of certificates, in PEM, of who vouches for servers (without it, those that the system trusts);
    ``cert`` and ``key`` are what the client shows, ``key`` being in ``cert`` if it is not given. A server must be
    ``server_name``, or else the host that is connected to. ``insecure``: any server will do. Raises ValueError, which
    says which file cannot be used.
    """

    def __init__(
        self, ca: str = "", cert: str = "", key: str = "", server_name: str = "", insecure: bool = False
    ) -> None:
        if key and not cert:
            raise ValueError("key= is of no use without cert=, the certificate that it belongs to")
        if insecure and ca:
            raise ValueError("ca= says whom to trust, and insecure= to trust anybody; give one of them")
        self.server_name = server_name
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context.minimum_version = ssl.TLSVersion.TLSv1_2
        if insecure:
            self._context.check_hostname = False
            self._context.verify_mode = ssl.CERT_NONE
        elif not ca:
            self._context.load_default_certs()
        try:
            if ca:
                self._context.load_verify_locations(ca)
        except OSError as error:
            raise ValueError(f"ca={ca!r}: {_why(error)}") from None
        try:
            if cert:
                self._context.load_cert_chain(cert, key or None)
        except OSError as error:
            raise ValueError(f"cert={cert!r}, key={key!r}: {_why(error)}") from None

    def meet(self, line: Line, host: str, timeout: float | None) -> ssl.SSLSocket:
        """The socket of a connected line, encrypted. Raises OSError, and has closed the line then."""
        line.sock.settimeout(timeout)
        sock = self._context.wrap_socket(
            line.sock, server_hostname=self.server_name or host, do_handshake_on_connect=False
        )
        try:
            sock.do_handshake()
        except BaseException as error:
            sock.close()
            if isinstance(error, ssl.SSLError):
                raise ConnectionError(_why(error)) from None
            raise
        return sock


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the server's certificate is refused: {error.verify_message}"
    if isinstance(error, ssl.SSLEOFError | ConnectionResetError):
        return "the server hung up during the TLS handshake; does it speak TLS?"
    if isinstance(error, ssl.SSLError):
        if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
            return "the server does not speak TLS"
        return f"TLS: {(error.reason or str(error.args[-1])).replace('_', ' ').lower()}"
    return error.strerror or str(error)


def secured(line: Line, trust: Trust, host: str, timeout: float | None) -> Line:
    """A connected line, encrypted, once server and client have come to terms within ``timeout`` seconds (None: any).

    ``host`` is the name or address by which the server was looked for. Raises OSError, TimeoutError among them, and has
    closed the line then.
    """
    return _TlsLine(trust.meet(line, host, timeout))


class _TlsLine(Line):
    """What it has read to see whether there is anything stays in front of what is received next."""

    sock: ssl.SSLSocket

    def __init__(self, sock: ssl.SSLSocket) -> None:
        super().__init__(sock)
        self._ahead = b""

    def send(self, data: bytes, timeout: float | None) -> None:
        end = None if timeout is None else time.monotonic() + timeout
        rest = memoryview(data)
        while rest:
            self.sock.settimeout(_left(end))
            rest = rest[self.sock.send(rest) :]

    def receive(self, most: int, timeout: float | None) -> bytes:
        if self._ahead:
            data, self._ahead = self._ahead, b""
            return data
        self.sock.settimeout(timeout)
        return self.sock.recv(most)

    def quiet(self) -> bool:
        """What TLS itself has to say, tickets for one, is read on the way and is nothing."""
        return not self._ahead and self._look() is None

    def said(self) -> bool:
        return bool(self._ahead or self._look())

    def _look(self) -> bytes | None:
        """What there is to be read; nothing at the end, None when nothing has come yet."""
        self.sock.settimeout(0)
        try:
            self._ahead = self.sock.recv(1)
        except (ssl.SSLWantReadError, BlockingIOError):
            return None
        except OSError:
            return b""
        return self._ahead

    def close(self) -> None:
        """With TLS's good-bye, as far as it leaves at once."""
        with suppress(OSError, ValueError):
            self.sock.settimeout(0)
            self.sock.unwrap()
        super().close()


def _left(end: float | None) -> float | None:
    """Seconds until then. Raises TimeoutError when none are left: 0 would mean not to wait at all."""
    if end is None:
        return None
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left
