"""Numbers of seven bits a byte, the lowest first, and what is wrong with those that are none.

``seam.h`` has its own loop for what is right; who meets anything else comes here.
"""

from __future__ import annotations

from thriftserver.codec.fault import Fault, Short
from thriftserver.codec.memory import MOST


def load(data: bytes, pos: int, end: int, most: int) -> tuple[int, int]:
    """An unsigned number of at most ``most`` bytes, and where it ends."""
    number = shift = 0
    for place in range(pos, pos + most):
        if place >= end:
            raise Short(1, 0)
        byte = data[place]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, place + 1
        shift += 7
    raise Fault(f"a varint of more than {most} bytes")


def store(number: int) -> bytes:
    """The bytes of an unsigned number."""
    made = bytearray()
    while number > 0x7F:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)


def signed(number: int) -> int:
    """What a zigzag number stands for: 0, -1, 1, -2, ..."""
    return number >> 1 ^ -(number & 1)


def out_of_range(number: int, what: str) -> Fault:
    """The fault of a number too large for ``what``: a size, ``u32`` or an integer type."""
    if what == "size":
        return Fault(f"size {number} is more than {MOST}")
    told = f"out of range of {what}"
    return Fault(f"{number if what == 'u32' else signed(number)} is {told}", told)
