"""What a set or dict would spend on keys that a peer has chosen: Python's hash keeps nothing secret but of texts.

CPython's tables are replayed, keys, sizes and probes, with a budget; who knows the hash of numbers, tuples, uuids and
structs can make each of ten thousand keys meet all others. Nothing here knows types of Thrift or bytes. ``crowd.h`` has
the C twin.
"""

from __future__ import annotations

from typing import Any

#: So few keys may cost what they like.
FEW = 32
#: What keys may cost on the average, in slots of a set that are looked at one after the other. Random keys cost less
#: than ten, and the worst that is sent in good faith, numbers with their lower halves all zero, some two hundred.
BUDGET = 512
#: What a slot of a dict costs, where the next is anywhere; and comparing keys of one hash, but for numbers, which are
#: compared as fast as they are found.
JUMP, COMPARISON = 8, 64

_LINEAR = 9
_ALL = (1 << 64) - 1


def crowded(keys: list[Any], mapping: bool) -> bool:
    """Would these keys cost a set (``mapping``: a dict) many times what as many random ones cost?"""
    replay = _Replay(list(keys), mapping)
    for place in range(len(keys)):
        replay.add(place)
        if replay.budget < 0:
            return True
    return False


def all_of(items: list[Any], first: type | None, second: type | None) -> bool:
    """Is every item of exactly one of two classes?"""
    return all(type(item) is first or type(item) is second for item in items)


class _Replay:
    def __init__(self, keys: list[Any], mapping: bool) -> None:
        self.keys = keys
        self.hashes = [hash(key) & _ALL for key in keys]
        self.mapping = mapping
        self.linear = 0 if mapping else _LINEAR
        self.budget = BUDGET * len(keys)
        self.step = JUMP if mapping else 1
        #: Places of the keys that differ, in the order of arrival; and the table, of 1 + a place, 0 for a free slot.
        self.order: list[int] = []
        self.table = [0] * 8

    def add(self, place: int) -> None:
        size = len(self.table)
        if self.mapping and len(self.order) == size * 2 // 3:
            self.grow(_power(3 * len(self.order) - 1))
        slot = self.find(place, False)
        if slot < 0:
            return
        self.table[slot] = place + 1
        self.order.append(place)
        used = len(self.order)
        if not self.mapping and used * 5 >= (size - 1) * 3:
            self.grow(_power(used * 2 if used > 50000 else used * 4))

    def find(self, place: int, fresh: bool) -> int:
        """The slot for a key, -1 when an equal one is there; of a ``fresh`` table the keys are known to differ."""
        mask = len(self.table) - 1
        perturb = mine = self.hashes[place]
        start = perturb & mask
        while True:
            more = self.linear if start + self.linear <= mask else 0
            for slot in range(start, start + more + 1):
                there = self.table[slot] - 1
                if there < 0:
                    return slot
                self.budget -= self.step
                if not fresh and self.hashes[there] == mine:
                    one, other = self.keys[there], self.keys[place]
                    if one is other or one == other:
                        return -1
                    if not isinstance(other, int | float):
                        self.budget -= COMPARISON
                if self.budget < 0:
                    return slot
            perturb >>= 5
            start = (start * 5 + 1 + perturb) & mask

    def grow(self, size: int) -> None:
        """A set takes its keys in the order of its table, a dict in the order of arrival."""
        places = self.order if self.mapping else [there - 1 for there in self.table if there]
        self.table = [0] * size
        for place in places:
            if self.budget < 0:
                return
            self.table[self.find(place, True)] = place + 1


def _power(least: int) -> int:
    """The size of a table with more than so many slots."""
    return max(8, 1 << least.bit_length())
