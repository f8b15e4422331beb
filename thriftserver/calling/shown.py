"""Bytes of messages for people: offsets, hexadecimal, and what of it is text."""

from __future__ import annotations

from collections.abc import Iterator

#: Bytes to a line.
_WIDTH = 16


def hexdump(data: bytes) -> Iterator[str]:
    """Lines like ``00000010  64 64 00 00 00 01 08 00  01 00 00 00 01 08 00 02  |dd..............|``."""
    for at in range(0, len(data), _WIDTH):
        line = data[at : at + _WIDTH]
        left, right = line[: _WIDTH // 2].hex(" "), line[_WIDTH // 2 :].hex(" ")
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in line)
        yield f"{at:08x}  {left:<23}  {right:<23}  |{text}|"
