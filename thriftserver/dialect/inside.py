"""The message inside what a call came in, as bytes: without its length, its headers, its HTTP request."""

from __future__ import annotations

#: Bytes of THeader's fixed head, behind the frame's length; the words behind it are counted in its last two.
_LENGTH, _HEAD, _WORD = 4, 14, 4


def message_in(dialect: str, data: bytes, opened: bytes) -> bytes:
    """The message of a call in ``data``, which has come in this dialect; ``opened`` is what it was read from.

    Those differ where what was packed had to be unpacked first: a request over HTTP, a body that was compressed.
    """
    if opened is not data:
        return opened
    if dialect == "header":
        words = int.from_bytes(data[_HEAD - 2 : _HEAD], "big")
        return data[_HEAD + _WORD * words :]
    return data[_LENGTH:] if dialect.startswith("framed") else data
