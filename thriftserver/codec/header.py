"""What stands before the arguments of a message, whatever protocol it is in.

``_header`` has the C twin, which is a class of its own to stay out of the collector's sight.
"""

from __future__ import annotations

from typing import Any


class Header:
    """What stands before the arguments: ``seqid`` is a signed i32, ``body`` the offset of the struct that follows.

    ``strict`` is False for the old form of the binary protocol; ``protocol`` is what the message was read in,
    ``source`` where its struct comes next, ``infos`` what came beside it (None: there is no place for any); ``number``
    and ``packing`` are its transport's.
    """

    __slots__ = (
        "body",
        "infos",
        "kind",
        "name",
        "number",
        "packing",
        "protocol",
        "seqid",
        "source",
        "strict",
    )

    def __init__(self, name: str, kind: int, seqid: int, strict: bool = True, body: int = 0) -> None:
        self.name = name
        self.kind = kind
        self.seqid = seqid
        self.strict = strict
        self.body = body
        self.protocol: Any = None  # Protocol
        self.source: Any = None  # Source
        self.infos: dict[str, str] | None = None
        self.number = 0
        self.packing: Any = None

    def __repr__(self) -> str:
        return (
            f"Header(name={self.name!r}, kind={self.kind}, seqid={self.seqid}, strict={self.strict}, body={self.body})"
        )


def blank() -> Header:
    """A header to be filled in. Compiled, it goes past ``__init__``, which costs more than reading a header."""
    return Header("", 0, 0)
