"""Keys that a peer has chosen so that they collide: refused before they cost more than a few times what others do."""

from __future__ import annotations

import random
from collections.abc import Callable
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest

from tests.codec.schemas import POINT, enum, field, struct
from thriftserver.codec import crowd
from thriftserver.errors import WireError
from thriftserver.schema import model
from thriftserver.schema.classes import class_of
from thriftserver.schema.frozen import FrozenMap

Point: Any = class_of(POINT)
#: CPython's hash of a number is its remainder.
MODULUS = (1 << 61) - 1
_ALL = (1 << 64) - 1
_P1, _P2, _P5 = 11400714785074694791, 14029467366897019727, 2870177450012600261
COUNT = 600
PAIRS = model.List(model.I64)


def _turn(number: int) -> int:
    return (number << 31 | number >> 33) & _ALL


def pairs(count: int) -> list[tuple[int, int]]:
    """Pairs with one hash: the steps of a tuple's hash can be taken back."""
    found: list[tuple[int, int]] = []
    number = 1
    while len(found) < count:
        state = _turn((_P5 + number * _P2) & _ALL) * _P1 & _ALL
        other = (12345 - state) * pow(_P2, -1, _ALL + 1) & _ALL
        other -= (_ALL + 1) if other >> 63 else 0
        if abs(other) < MODULUS and other != -1:
            found.append((number, other))
        number += 1
    assert len({hash(each) for each in found}) == 1
    return found


def uuids(count: int) -> list[UUID]:
    return [UUID(int=5 + number * MODULUS) for number in range(count)]


def holder(type: Any) -> Any:
    return class_of(
        struct("Holder", field(1, "members", model.Set(type)), field(2, "keys", model.Map(type, model.I32)))
    )


#: A type, keys of it that collide, and as many that do not.
CASES: dict[str, tuple[Any, Callable[[], list[Any]], Callable[[random.Random], Any]]] = {
    "uuid": (model.UUID, lambda: uuids(COUNT), lambda dice: UUID(int=dice.getrandbits(128))),
    "list": (PAIRS, lambda: pairs(COUNT), lambda dice: (dice.getrandbits(60), dice.getrandbits(60))),
    "list of uuids": (
        model.List(model.UUID),
        lambda: [(each,) for each in uuids(COUNT)],
        lambda dice: (UUID(int=dice.getrandbits(128)),),
    ),
    "set of lists": (
        model.Set(PAIRS),
        lambda: [frozenset([each]) for each in pairs(COUNT)],
        lambda dice: frozenset([(dice.getrandbits(60), dice.getrandbits(60))]),
    ),
    "map": (
        model.Map(model.UUID, model.I32),
        lambda: [FrozenMap({each: 1}) for each in uuids(COUNT)],
        lambda dice: FrozenMap({UUID(int=dice.getrandbits(128)): 1}),
    ),
    "struct": (
        struct("Key", field(1, "id", model.UUID)),
        lambda: [class_of(CASES["struct"][0])(each) for each in uuids(COUNT)],
        lambda dice: class_of(CASES["struct"][0])(UUID(int=dice.getrandbits(128))),
    ),
    "union": (
        struct("Choice", field(1, "id", model.UUID), kind="union"),
        lambda: [class_of(CASES["union"][0])(id=each) for each in uuids(COUNT)],
        lambda dice: class_of(CASES["union"][0])(id=UUID(int=dice.getrandbits(128))),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_keys_that_collide_are_refused_and_others_are_not(codec: ModuleType, name: str) -> None:
    type, colliding, fair = CASES[name]
    cls = holder(type)
    dice = random.Random(1)
    good = list({fair(dice): None for _ in range(COUNT)})
    for bad in (colliding(), good[:300] + colliding()):
        few = set(bad[:20])  # too few to cost anything
        assert codec.decode_struct(cls, codec.encode_struct(cls(members=few))).members == few
        with pytest.raises(WireError, match=r"Holder\.members: the hashes of the \d+ members collide"):
            codec.decode_struct(cls, codec.encode_struct(cls(members=set(bad))))
        with pytest.raises(WireError, match=r"Holder\.keys: the hashes of the \d+ keys collide"):
            codec.decode_struct(cls, codec.encode_struct(cls(keys=dict.fromkeys(bad, 1))))
    back = codec.decode_struct(cls, codec.encode_struct(cls(set(good), dict.fromkeys(good, 1))))
    assert (back.members, back.keys) == (set(good), dict.fromkeys(good, 1))


def spent(keys: list[Any], mapping: bool) -> int:
    """What keys cost in the replay that both codecs make."""
    replay = crowd._Replay(keys, mapping)
    replay.budget = before = 1 << 60
    for place in range(len(keys)):
        replay.add(place)
    return (before - replay.budget) // len(keys)


#: Types whose keys need no refusal: whatever a peer chooses stays within the budget. Of each the worst that is known.
BOUNDED: dict[str, tuple[Any, Callable[[int], Any]]] = {
    "i64 of one remainder": (model.I64, lambda number: (number % 7 - 3) * MODULUS + number // 7),
    "i64 with lower halves of zero": (model.I64, lambda number: number << 32),
    "i32": (model.I32, lambda number: number << 14),
    "enum": (enum("Colour"), lambda number: number << 14),
    "double with lower halves of zero": (model.DOUBLE, lambda number: float(number << 40)),
    "double of powers": (model.DOUBLE, lambda number: 2.0 ** (number % 2000 - 1000) * (1 + number // 2000)),
    "string": (model.STRING, lambda number: "a" * number),
}


@pytest.mark.parametrize("name", BOUNDED)
@pytest.mark.parametrize("mapping", [False, True], ids=["set", "map"])
def test_numbers_and_texts_cost_no_more_than_the_budget(codec: ModuleType, name: str, mapping: bool) -> None:
    type, make = BOUNDED[name]
    keys = list(dict.fromkeys(make(number) for number in range(4_000)))
    cls = holder(type)
    value = cls(keys=dict.fromkeys(keys, 1)) if mapping else cls(members=set(keys))
    assert spent(keys, mapping) <= crowd.BUDGET
    assert codec.decode_struct(cls, codec.encode_struct(value)) == value


@pytest.mark.parametrize("shift", [0, 8, 16, 22, 32, 40, 50])
def test_numbers_that_people_use_as_keys_pass(codec: ModuleType, shift: int) -> None:
    """Identifiers made of a time and a number have long runs of zeros at their end."""
    numbers = [number << shift for number in range(2000)]
    cls = holder(model.I64)
    back = codec.decode_struct(cls, codec.encode_struct(cls(set(numbers), dict.fromkeys(numbers, 1))))
    assert back.members == set(numbers)
    assert list(back.keys) == numbers
    assert max(spent(numbers, False), spent(numbers, True)) < crowd.BUDGET


def test_the_twins_agree_on_what_collides(both: tuple[ModuleType, ModuleType]) -> None:
    pure, _ = both
    dice = random.Random(3)
    cls = holder(model.UUID)
    verdicts = set()
    for share in range(0, 100, 4):
        keys = [*uuids(6 * share), *(UUID(int=dice.getrandbits(128)) for _ in range(600 - 6 * share))]
        dice.shuffle(keys)
        raw = pure.encode_struct(cls(set(keys), dict.fromkeys(keys, 1)))
        told = []
        for codec in both:
            try:
                told.append(repr(codec.decode_struct(cls, raw) is None))
            except WireError as error:
                told.append(str(error))
        assert told[0] == told[1], share
        verdicts.add(told[0])
    assert len(verdicts) > 1


def test_repeated_keys_are_no_crowd(codec: ModuleType) -> None:
    """Who sends one key a thousand times costs a comparison each time, and is served as ever."""
    cls = holder(model.UUID)
    raw = b"\x0e\0\1\x10" + (1000).to_bytes(4, "big") + UUID(int=7).bytes * 1000 + b"\0"
    assert codec.decode_struct(cls, raw).members == {UUID(int=7)}


def test_a_hash_of_a_map_makes_nothing_of_pairs_that_collide() -> None:
    compared = []

    class Number(int):
        def __eq__(self, other: object) -> bool:
            compared.append(other)
            return int.__eq__(self, other)  # type: ignore[arg-type]

        __hash__ = int.__hash__

    given = {Number(one): other for one, other in pairs(300)}
    compared.clear()
    hash(FrozenMap(given))
    assert len(compared) < 300
