"""Which dialect a connection speaks, from its first bytes.

How each begins stands in ``table``; what is none of them, ``recognise`` names.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from thriftserver.codec.protocols import protocol
from thriftserver.compiled import choose
from thriftserver.dialect.recognise import claimed, is_stranger
from thriftserver.dialect.table import BY_NAME, DIALECTS, Dialect

if TYPE_CHECKING:
    from thriftserver.dialect.transport import Framed, Refused, Transport, Unframed
else:
    _transport = choose("dialect.transport")
    Framed, Refused, Unframed = _transport.Framed, _transport.Refused, _transport.Unframed


#: The largest frame that a length can claim.
_MOST = (1 << 31) - 1


class Ear:
    """What a port understands: the dialects that are ``taken`` (names), messages of at most ``limit`` bytes.

    ``cors`` is the origin, or ``*``, whose pages may call over HTTP; empty for none.
    """

    def __init__(self, limit: int, taken: Collection[str] = tuple(BY_NAME), cors: str = "") -> None:
        self.limit = limit
        self.taken = frozenset(taken)
        self.cors = cors

    def detect(self, start: bytes, ended: bool) -> Transport | None:
        """The transport of a stream that begins like this; None when more bytes are needed to tell."""
        found, unsure = find(start, self.limit)
        if found is None and not unsure and not is_stranger(start):
            # A frame that is too large is refused in its own dialect; what is in one that nobody knows is received, so
            # that it can be told what it is.
            found, unsure = find(start, _MOST)
            if found is None and not unsure and 0 <= claimed(start) <= self.limit:
                found = BY_NAME["framed-binary"]
        if found is None:
            return None if not ended and (unsure or len(start) < 4) else Refused(self.limit)
        transport = self.speak(found)
        if found.name in self.taken:
            return transport
        if found.name == "http":
            return Refused(self.limit)
        return Refused(self.limit, transport, f"the peer speaks {found.title}, which is not taken here; {found.advice}")

    def is_oversize(self, start: bytes) -> bool:
        """Is it certain that a stream is refused that begins like this, though not yet in which dialect?"""
        return len(start) >= 4 and not 0 <= claimed(start) <= self.limit

    def resume(self, name: str) -> Transport | None:
        """The transport of a connection that has spoken this dialect with another process; None to find out anew."""
        known = BY_NAME.get(name)
        return self.speak(known) if known is not None and name in self.taken else None

    def speak(self, dialect: Dialect) -> Transport:
        if dialect.transport != "http":
            return transport_of(dialect, dialect.protocols[0], self.limit)
        from thriftserver.dialect.http import Http

        return Http(dialect.name, dialect.number, protocol(dialect.protocols[0]), self.limit, self.cors)


def transport_of(dialect: Dialect, inside: str, limit: int) -> Transport:
    """A transport for one connection in this dialect but HTTP, with the protocol of that name inside."""
    first: Any = protocol(inside)
    if dialect.transport == "framed":
        return Framed(dialect.name, dialect.number, first, limit)
    if dialect.transport == "unframed":
        return Unframed(dialect.name, dialect.number, first, limit)
    made: Transport = choose("dialect.theader").THeader(dialect.name, dialect.number, first, limit)
    return made


def find(start: bytes, limit: int) -> tuple[Dialect | None, bool]:
    """The dialect that begins like this, and whether it is too early to tell."""
    unsure = False
    for dialect in DIALECTS:
        fits = _fits(dialect, start, limit)
        if fits:
            return dialect, False
        unsure = unsure or fits is None
    return None, unsure


def _fits(dialect: Dialect, start: bytes, limit: int) -> bool | None:
    """Does a stream that begins like this speak a dialect? None when it is too early to tell."""
    over = False  # nothing more can follow
    if dialect.framed:
        if len(start) < 4:
            return None if int.from_bytes(start.ljust(4, b"\0"), "big") <= limit else False
        length = int.from_bytes(start[:4], "big")
        if length > limit:
            return False
        over = len(start) >= 4 + length
        start = start[4 : 4 + length]
    unsure = False
    for pattern in dialect.begins:
        if all(byte in allowed for byte, allowed in zip(start, pattern, strict=False)):
            if len(start) >= len(pattern):
                return True
            unsure = not over
    return None if unsure else False
