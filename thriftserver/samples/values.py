"""Values of types, by chance: what one seed has made up, it makes up again, in every process."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from typing import Any

from thriftserver.errors import ConfigError
from thriftserver.samples.least import ENDLESS, Least
from thriftserver.schema.classes import class_of, enum_of, materialize
from thriftserver.schema.frozen import FrozenMap
from thriftserver.schema.model import ABSENT, Enum, Field, Function, List, Map, Set, Struct, Type

#: Structs and containers within each other that are filled; what is deeper has only what it cannot be without.
DEPTH = 4
#: Values in one sample, after which the rest of it is as small as it may be.
SIZE = 200
#: Members of a list, set or map.
ITEMS = 3
#: Bits of numbers, without the sign.
_BITS = {"i8": 7, "i16": 15, "i32": 31, "i64": 63}
_WORDS = ("amber", "birch", "cedar", "delta", "ember", "fjord", "grove", "harbor", "island", "juniper", "köln", "日本")


class Sampler:
    """Makes up valid values: required fields are set, unions have one member, enums one of theirs, numbers fit.

    ``seed`` is any text or number; samplers of one seed that are asked the same make up the same. Not thread-safe.
    """

    def __init__(self, seed: int | str = 0) -> None:
        self._random = random.Random(seed)
        self._least = Least()
        self._left = 0

    def value(self, type: Type) -> Any:
        """A value as handlers and clients have it. Raises ConfigError where the type has none that can be sent."""
        self._left = SIZE
        return self._value(type, 0, False)

    def arguments(self, function: Function) -> list[Any]:
        """Arguments of a call in the order of the IDL. Raises ConfigError likewise."""
        self._left = SIZE
        return [self._field(arg, 0, False) for arg in function.args]

    def result(self, function: Function) -> Any:
        """What a call may return; None for void. Raises ConfigError likewise."""
        return None if function.returns is None else self.value(function.returns)

    def _value(self, type: Type, depth: int, frozen: bool) -> Any:
        self._left -= 1
        match type:
            case List(element=element):
                items = [self._value(element, depth + 1, frozen) for _ in self._items(depth, element)]
                return tuple(items) if frozen else items
            case Set(element=element):
                members = {self._value(element, depth + 1, True) for _ in self._items(depth, element)}
                return frozenset(members) if frozen else members
            case Map(key=key, value=value):
                pairs = {
                    self._value(key, depth + 1, True): self._value(value, depth + 1, frozen)
                    for _ in self._items(depth, key, value)
                }
                return FrozenMap(pairs) if frozen else pairs
            case Enum(members=members):
                return enum_of(type)(self._random.choice(members).value) if members else 0
            case Struct():
                return self._struct(type, depth, frozen)
        return _BASES[type.name](self._random)

    def _items(self, depth: int, *inner: Type) -> range:
        """How many items there are; none where they would go too deep."""
        if self._small(depth) or any(self._least.of(each) == ENDLESS for each in inner):
            return range(0)
        return range(self._random.randint(1, ITEMS))

    def _struct(self, struct: Struct, depth: int, frozen: bool) -> Any:
        if self._least.of(struct) == ENDLESS:
            raise ConfigError(
                f"no value of {struct} can be made up: it requires itself, or nests too deep ({struct.where})"
            )
        fields = [self._member(struct, depth)] if struct.kind == "union" else struct.fields
        values = {
            field.name: self._field(field, depth + 1, frozen) for field in fields if self._wanted(field, struct, depth)
        }
        return class_of(struct)(**values)

    def _member(self, union: Struct, depth: int) -> Field:
        """One that has a value; one of the least deep where it is deep already."""
        depths = {field: self._least.of(field.type) for field in union.fields}
        limit = min(depths.values()) if self._small(depth) else max(each for each in depths.values() if each < ENDLESS)
        return self._random.choice([field for field, each in depths.items() if each <= limit])

    def _wanted(self, field: Field, struct: Struct, depth: int) -> bool:
        """Must it be set, or may it, and is there room? Optional ones are there three times in four."""
        if field.required or struct.kind == "union":
            return True
        if self._small(depth) or self._least.of(field.type) == ENDLESS:
            return False
        return field.required is None or self._random.random() < 0.75

    def _field(self, field: Field, depth: int, frozen: bool) -> Any:
        """Half of those that have a default have it."""
        if field.default is not ABSENT and self._random.random() < 0.5:
            return materialize(field.type, field.default, frozen)
        return self._value(field.type, depth, frozen)

    def _small(self, depth: int) -> bool:
        return depth >= DEPTH or self._left <= 0


def _whole(bits: int) -> Callable[[random.Random], int]:
    """Numbers of every length, so that those of variable size have all sizes; one in eight is below zero."""

    def make(chance: random.Random) -> int:
        number = chance.getrandbits(chance.randint(1, bits))
        return ~number if chance.random() < 0.125 else number

    return make


def _text(chance: random.Random) -> str:
    return " ".join(chance.choice(_WORDS) for _ in range(chance.randint(1, 3)))


def _double(chance: random.Random) -> float:
    return round(chance.uniform(-1000, 10000), chance.randint(0, 6))


_BASES: dict[str, Callable[[random.Random], Any]] = {
    "bool": lambda chance: chance.random() < 0.5,
    **{name: _whole(bits) for name, bits in _BITS.items()},
    "double": _double,
    "string": _text,
    "binary": lambda chance: chance.randbytes(chance.randint(0, 16)),
    "uuid": lambda chance: uuid.UUID(int=chance.getrandbits(128), version=4),
}
