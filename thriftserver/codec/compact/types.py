"""The types of the compact protocol beside those of the binary one, by which walkers know them."""

from __future__ import annotations

from typing import Final

#: Bytes that a value of a wire type has at least; 0 for a wire type that does not exist.
LEAST: Final = [0, 0, 1, 1, 8, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 16]
#: Bytes of the wire types that always have the same; 0 for the others.
WIDTHS: Final = [0, 0, 1, 1, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16]
#: Added to a compact type that does not exist, to make it a wire type that does not: whoever meets it can tell it.
STRANGE: Final = 32
#: Wire type of each compact type: the first two are true and false.
WIRES: Final = [STRANGE, 2, 2, 3, 6, 8, 10, 4, 11, 15, 14, 13, 12, 16, STRANGE + 14, STRANGE + 15]
#: Compact type of each wire type.
TYPES: Final = [0, 0, 1, 3, 7, 0, 4, 0, 5, 0, 6, 8, 12, 11, 10, 9, 13]
