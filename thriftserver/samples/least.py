"""How deep a value of a type is at the least, in structs within structs: what makes sure that making one up ends."""

from __future__ import annotations

import math

from thriftserver.schema.model import Struct, Type
from thriftserver.wire import MAX_DEPTH

#: Of a type that has no value, or none that can be sent: it requires itself, or nests deeper than messages may.
ENDLESS = math.inf


class Least:
    """Depths by struct, each of which is found once."""

    def __init__(self) -> None:
        self._known: dict[Struct, float] = {}

    def of(self, type: Type) -> float:
        """0 for whatever has a value without any struct, an empty list for one; else a whole number, or ``ENDLESS``."""
        if not isinstance(type, Struct):
            return 0
        if type not in self._known:
            self._find(type)
        return self._known[type]

    def _find(self, asked: Struct) -> None:
        """Start from ``ENDLESS`` for all that ``asked`` may need, and go round until no depth changes."""
        found = dict.fromkeys(_needed(asked), ENDLESS)
        changed = True
        while changed:
            changed = False
            for struct in found:
                depth = 1 + _combined(struct, found)
                if depth < min(found[struct], MAX_DEPTH):
                    found[struct], changed = depth, True
        self._known |= found


def _combined(struct: Struct, found: dict[Struct, float]) -> float:
    inner = [found[type] if isinstance(type, Struct) else 0 for type in _members(struct)]
    if struct.kind == "union":
        return min(inner, default=ENDLESS)
    return max(inner, default=0)


def _members(struct: Struct) -> list[Type]:
    """What a value cannot be without: one of a union's members, all required fields of another struct."""
    return [field.type for field in struct.fields if struct.kind == "union" or field.required]


def _needed(struct: Struct) -> list[Struct]:
    """This struct and all that stand in it where one cannot be without them."""
    seen = {struct: None}
    waiting = [struct]
    while waiting:
        for type in _members(waiting.pop()):
            if isinstance(type, Struct) and type not in seen:
                seen[type] = None
                waiting.append(type)
    return list(seen)
