"""The primitives under ``slot``: words of shared memory. ``_slot.pxd`` has their C twins.

Nothing here knows what a word means.
"""

from __future__ import annotations


def words_of(view: memoryview) -> memoryview:
    """What ``words[index]`` is taken from: compiled code has a pointer."""
    return view


def publish(words: memoryview, at: int, value: int) -> None:
    """Write a word after all that was written before it."""
    words[at] = value


def put_text(words: memoryview, at: int, text: bytes) -> None:
    """Copy 64 bytes."""
    words[at : at + 8] = memoryview(text).cast("Q")


def bits(number: int) -> int:
    """How many bits a number needs."""
    return number.bit_length()
