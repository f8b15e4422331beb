"""Hashable equals of Thrift's containers, for map keys and set members.

Nothing here knows the schema: these are plain values and plain rules for them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


class FrozenMap(Mapping[Any, Any]):
    """An immutable, hashable mapping that equals the dict with the same items."""

    __slots__ = ("_hash", "_items")
    _items: dict[Any, Any]
    _hash: int

    def __init__(self, items: Any = ()) -> None:
        object.__setattr__(self, "_items", dict(items))
        object.__setattr__(self, "_hash", 0)

    def __getitem__(self, key: Any) -> Any:
        return self._items[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __contains__(self, key: object) -> bool:
        return key in self._items

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("a FrozenMap cannot be changed")

    def __eq__(self, other: object) -> bool:
        if isinstance(other, FrozenMap):
            return self._items == other._items
        return bool(self._items == other) if isinstance(other, Mapping) else NotImplemented

    def __hash__(self) -> int:
        # A sum, as the order says nothing; of pairs in a set, a peer could make each collide with all others.
        if self._hash == 0:
            total = sum(hash((key, freeze(value))) for key, value in self._items.items())
            object.__setattr__(self, "_hash", hash((len(self._items), total)) or 1)
        return self._hash

    def __repr__(self) -> str:
        return f"FrozenMap({self._items!r})"

    def __reduce__(self) -> Any:
        return FrozenMap, (self._items,)


def freeze(value: Any) -> Any:
    """The hashable equal of a container (tuple, frozenset, FrozenMap), all the way down; anything else as it is."""
    if isinstance(value, list | tuple):
        return tuple(freeze(item) for item in value)
    if isinstance(value, set | frozenset):
        return frozenset(value)
    if isinstance(value, dict):
        return FrozenMap({key: freeze(item) for key, item in value.items()})
    if isinstance(value, bytearray | memoryview):
        return bytes(value)
    return value


def hash_of(cls: type, values: Any) -> int:
    """The hash of a struct of this class; containers in it count as their hashable equals."""
    try:
        return hash((cls, *values))
    except (TypeError, ValueError):  # ValueError: of a memoryview that can be written to
        return hash((cls, *map(freeze, values)))
