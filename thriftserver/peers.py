"""Who is at the other end of a connection: a name for people, what else is known, and how a process tells another.

What its bytes mean, and what may be done with them, is nobody's here.
"""

from __future__ import annotations

import socket
import struct
from typing import Any, NamedTuple, Self

import msgspec
from msgspec import Struct

#: ``struct ucred``: pid, user id, group id.
_UCRED = struct.Struct("iII")
#: What the peer of a unix socket is called: it has no address.
UNIX = "unix"


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


class Peer(str):
    """What people call a peer: ``127.0.0.1:4711``, ``[::1]:4711``, ``unix``; and what else is known of it."""

    __slots__ = ("certificate", "credentials")

    certificate: Certificate | None
    credentials: Credentials | None

    def __new__(cls, name: str, certificate: Certificate | None = None, credentials: Credentials | None = None) -> Self:
        made = super().__new__(cls, name)
        made.certificate = certificate
        made.credentials = credentials
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
        certificate = getattr(self.peer, "certificate", None)
        proof = msgspec.json.encode(certificate).decode() if certificate is not None else ""
        words = "\t".join((self.peer, self.dialect, self.memory, proof)).rstrip("\t")
        return f"{words}\n".encode("utf-8", "backslashreplace")

    @classmethod
    def read(cls, line: bytes) -> Self:
        """The same of a line without its end. What cannot be understood is not known."""
        peer, dialect, memory, proof, *_ = (*line.decode("utf-8", "replace").split("\t"), "", "", "")
        return cls(Peer(peer, _certificate(proof)) if proof else peer, dialect, memory)


def _certificate(proof: str) -> Certificate | None:
    try:
        return msgspec.json.decode(proof, type=Certificate)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
