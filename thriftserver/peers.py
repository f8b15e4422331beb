"""Who is at the other end of a connection: a name for people, what else is known, and how a process tells another.

What its bytes mean, and what may be done with them, is nobody's here.
"""

from __future__ import annotations

import socket
import struct
from typing import Any, NamedTuple, Self, TypeVar

import msgspec
from msgspec import Struct

#: ``struct ucred``: pid, user id, group id.
_UCRED = struct.Struct("iII")
#: What the peer of a unix socket is called: it has no address.
UNIX = "unix"
#: Handed over instead of a dialect, where a proxy has still to say whose connection that is.
UNANNOUNCED = "proxy"

T = TypeVar("T")


class Certificate(Struct, frozen=True):
    """A client certificate that has been verified."""

    subject: str
    """As in ``CN=billing,O=Example``: the most specific part first."""
    issuer: str
    sans: tuple[str, ...]
    """Subject alternative names, as in ``DNS:billing.example.com``, ``URI:spiffe://example.com/billing``."""
    fingerprint: str
    """SHA-256 of the certificate, in lower-case hexadecimal digits."""
    serial: str
    not_after: float
    """Until when it is valid, in seconds since 1970."""


class Credentials(Struct, frozen=True):
    """Whose process has connected to a unix socket, as the kernel saw it then."""

    pid: int
    uid: int
    gid: int


class Proxy(Struct, frozen=True):
    """What a trusted proxy has said of its client, by the PROXY protocol. Texts are empty for what it has not."""

    address: str
    """The proxy's own, as in ``10.0.0.1:4711``; the client's is the peer's name."""
    server_name: str
    """Which name the client has asked for when it agreed upon TLS with the proxy, or what else it was after."""
    common_name: str
    """Of the subject of the client's certificate, if the proxy has verified one."""
    version: str
    """Of TLS between client and proxy, as in ``TLSv1.3``."""


class Peer(str):
    """What people call a peer: ``127.0.0.1:4711``, ``[::1]:4711``, ``unix``; and what else is known of it."""

    __slots__ = ("certificate", "credentials", "proxy")

    certificate: Certificate | None
    credentials: Credentials | None
    proxy: Proxy | None

    def __new__(
        cls,
        name: str,
        certificate: Certificate | None = None,
        credentials: Credentials | None = None,
        proxy: Proxy | None = None,
    ) -> Self:
        made = super().__new__(cls, name)
        made.certificate = certificate
        made.credentials = credentials
        made.proxy = proxy
        return made


def name_of(address: Any) -> str:
    """The name of a peer by the address that ``accept`` gave."""
    if isinstance(address, tuple):
        return f"[{address[0]}]:{address[1]}" if ":" in address[0] else f"{address[0]}:{address[1]}"
    return UNIX


def unix_peer(sock: socket.socket) -> Peer:
    """The peer of a connected unix socket, with its credentials."""
    data = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    return Peer(UNIX, credentials=Credentials(*_UCRED.unpack(data)))


class Introduction(NamedTuple):
    """What one process tells another of a connection that it hands over, as a line of bytes.

    ``dialect`` is what it speaks, and ``memory`` what its transport knows of it; both are empty where nobody knows yet.
    """

    peer: str
    dialect: str = ""
    memory: str = ""

    def write(self) -> bytes:
        """The line, its end included. What is not known at its end is left out: releases before know fewer words."""
        known = (getattr(self.peer, name, None) for name in ("certificate", "proxy"))
        proofs = ("" if each is None else msgspec.json.encode(each).decode() for each in known)
        words = "\t".join((self.peer, self.dialect, self.memory, *proofs)).rstrip("\t")
        return f"{words}\n".encode("utf-8", "backslashreplace")

    @classmethod
    def read(cls, line: bytes) -> Self:
        """The same of a line without its end. What cannot be understood is not known."""
        peer, dialect, memory, proof, proxy, *_ = (*line.decode("utf-8", "replace").split("\t"), "", "", "", "")
        if proof or proxy:
            peer = Peer(peer, _known(proof, Certificate), proxy=_known(proxy, Proxy))
        return cls(peer, dialect, memory)


def _known(text: str, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
