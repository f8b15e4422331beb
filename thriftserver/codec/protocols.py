"""The protocols that are spoken: one row each, compiled where that was possible, else the readable source.

Nothing here knows a byte. ``binary`` is the ``message`` module of its folder.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from thriftserver.compiled import NATIVE, PROTOCOLS, choose, variant

if TYPE_CHECKING:
    from thriftserver.codec.protocol import Protocol
    from thriftserver.codec.walk import message

    binary = message
else:
    binary = choose("codec.binary.message")

#: A struct, union or exception as bytes and back, in the binary protocol.
encode_struct = binary.encode_struct
decode_struct = binary.decode_struct


@cache
def spoken(native: bool = NATIVE) -> tuple[Protocol, ...]:
    """All protocols, by their numbers; the others than compiled code's are for code that is not compiled either."""
    return tuple(
        variant(f"codec.{name}.message", native).Messages(name, number) for number, name in enumerate(PROTOCOLS)
    )


def protocol(name: str, native: bool = NATIVE) -> Protocol:
    """One of them."""
    return spoken(native)[PROTOCOLS.index(name)]


def set_max_depth(limit: int) -> None:
    """How deep containers and structs may be nested, for the whole process: 1 to 200, ``wire.MAX_DEPTH`` if not set."""
    for name in PROTOCOLS:
        choose(f"codec.{name}.node").set_max_depth(limit)
