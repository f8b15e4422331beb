"""Subclasses and strangers whose methods lie, change things, raise or encode something else: never a crash.

What a subclass of list, tuple, set, dict, str, bytes, int, float or UUID holds is written, whatever it says.
"""

from __future__ import annotations

import random
from types import ModuleType
from typing import Any
from unittest.mock import Mock
from uuid import UUID

import pytest

from tests.codec.schemas import POINT, SHAPE, field, struct
from thriftserver.errors import EncodeError
from thriftserver.schema import model
from thriftserver.schema.classes import class_of

Point: Any = class_of(POINT)
Shape: Any = class_of(SHAPE)
_PLAIN: dict[str, tuple[Any, Any]] = {
    "flag": (model.BOOL, True),
    "tiny": (model.I8, 5),
    "whole": (model.I32, 70_000),
    "large": (model.I64, 1 << 40),
    "real": (model.DOUBLE, 2.5),
    "text": (model.STRING, "some text"),
    "wide": (model.STRING, "Ärger" * 9),
    "data": (model.BINARY, b"some data"),
    "id": (model.UUID, UUID(int=77)),
    "wholes": (model.List(model.I32), [1, 2, 3]),
    "larges": (model.List(model.I64), [1, 2, 3]),
    "reals": (model.List(model.DOUBLE), (1.0, 2.0)),
    "texts": (model.List(model.STRING), ["a", "b"]),
    "points": (model.List(POINT), [Point(1, 2)]),
    "set": (model.Set(model.I32), {1, 2}),
    "frozen": (model.Set(model.List(model.I32)), frozenset({(1, 2), (3,)})),
    "map": (model.Map(model.STRING, model.I32), {"a": 1, "b": 2}),
    "deep": (model.Map(model.List(model.I32), model.Set(model.I64)), {(1,): {2}}),
    "point": (POINT, Point(1, 2)),
}
Holder: Any = class_of(
    struct("Holder", *(field(number, name, type) for number, (name, (type, _)) in enumerate(_PLAIN.items(), 1)))
)
#: What a liar may lie with.
_METHODS = (
    "__len__", "__iter__", "__getitem__", "__contains__", "__eq__", "__bool__", "__index__", "__int__", "__float__",
    "__str__", "__repr__", "__bytes__", "__length_hint__", "__buffer__", "__format__", "__getattribute__", "encode",
    "tobytes", "items", "keys", "values", "copy", "bytes", "int", "__class__", "__reversed__", "__le__", "__lt__",
)  # fmt: skip
_KINDS = (list, tuple, set, frozenset, dict, str, bytes, bytearray, int, float, UUID)


def lying(kind: type, names: tuple[str, ...], answer: Any) -> type:
    """A subclass of which these methods give what ``answer`` does."""
    spoken: dict[str, Any] = {}
    for name in names:
        if name in ("__class__", "bytes", "int"):
            spoken[name] = property(lambda _self: answer())
        else:
            spoken[name] = lambda _self, *_args, **_named: answer()
    if "__eq__" in names:
        spoken["__hash__"] = kind.__hash__
    return type(f"Lying{kind.__name__}", (kind,), spoken)


def told(codec: ModuleType, value: Any) -> Any:
    try:
        return codec.encode_struct(value)
    except EncodeError as error:
        return str(error)
    except BaseException as error:  # noqa: BLE001 - liars raise anything
        return type(error).__name__


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("answer", [100_000, -1, 0, 1 << 70, None, "lie", b"lie", list, (), iter("ab")])
def test_what_a_subclass_holds_is_written_whatever_it_says(codec: ModuleType, kind: type, answer: Any) -> None:
    for name, (_, plain) in _PLAIN.items():
        if type(plain) is not kind:
            continue
        expected = codec.encode_struct(Holder(**{name: plain}))
        for method in _METHODS:
            if (kind is UUID and method == "__getattribute__") or (method == "__reversed__"):
                continue
            cls = lying(kind, (method,), lambda: answer)
            made = UUID.__new__(cls) if kind is UUID else cls(plain)
            if kind is UUID:
                UUID.__dict__["int"].__set__(made, 77)
            assert told(codec, Holder(**{name: made})) == expected, (name, method)


def test_who_only_claims_to_be_a_struct_is_asked_for_attributes(codec: ModuleType) -> None:
    assert "expected i32, got Mock" in told(codec, Holder(point=Mock(spec=Point)))
    for claimed in (Point, Shape, Holder, list, tuple, dict, set, str, bytes, int, float, bool, UUID):
        liar = type("Liar", (), {"__class__": property(lambda _self, claimed=claimed: claimed)})()
        for name in _PLAIN:
            assert not isinstance(told(codec, Holder(**{name: liar})), bytes), (name, claimed)
        assert not isinstance(told(codec, Holder(points=[liar])), bytes)
    plain = codec.encode_struct(Holder(point=Point(1, 2)))
    fake = type("Fake", (), {"__class__": property(lambda _self: Point), "x": 1, "y": 2})()
    assert told(codec, Holder(point=fake)) == plain


class Chaos:
    """Does something random, the same for one seed, each time that it is asked for anything."""

    def __init__(self, seed: int, victims: list[Any], codec: ModuleType) -> None:
        self.dice = random.Random(seed)
        self.victims = victims
        self.codec = codec
        self.budget = 200

    def __call__(self) -> Any:
        self.budget -= 1
        deed = self.dice.randrange(12)
        victim = self.dice.choice(self.victims) if self.victims else None
        kind = type(victim)
        if self.budget > 0 and deed == 0 and victim is not None:
            next(each for each in (list, set, dict) if issubclass(kind, each)).clear(victim)
        elif self.budget > 0 and deed == 1 and issubclass(kind, list):
            list.append(victim, 1)
        elif self.budget > 0 and deed == 2 and issubclass(kind, dict):
            dict.__setitem__(victim, self.dice.random(), 1)
        elif self.budget > 0 and deed == 3:
            inner = Holder(whole=1, texts=["x" * self.dice.randrange(3000)])
            assert self.codec.decode_struct(Holder, self.codec.encode_struct(inner)) == inner
        elif deed == 4:
            raise self.dice.choice([ValueError, SystemExit, TypeError, AttributeError, RuntimeError, StopIteration])
        return self.dice.choice([0, 1, -1, 7, 1 << 70, 2.5, None, "lie", b"lie", [1], (), {}, True, int])


def hostile_value(dice: random.Random, chaos: Chaos, plain: Any) -> Any:
    kind = type(plain)
    names = tuple(dice.sample(_METHODS, dice.randint(1, 4)))
    if dice.random() < 0.3 or kind not in _KINDS:
        names = tuple(name for name in names if name not in ("__getattribute__", "__eq__"))
        return lying(object, (*names, "x"), chaos)()
    if kind is UUID:
        made = UUID.__new__(lying(kind, names, chaos))
        UUID.__dict__["int"].__set__(made, 77)
        return made
    if kind is list:
        plain = [hostile_value(dice, chaos, each) if dice.random() < 0.3 else each for each in plain]
    return lying(kind, names, chaos)(plain) if dice.random() < 0.7 else kind(plain)


def storm(codec: ModuleType, seed: int) -> tuple[Any, Any]:
    dice = random.Random(seed)
    victims: list[Any] = []
    chaos = Chaos(seed, victims, codec)
    chosen = dice.sample(list(_PLAIN), 3)
    value = Holder(**{name: hostile_value(dice, chaos, _PLAIN[name][1]) for name in chosen})
    victims += [each for name in chosen if issubclass(type(each := getattr(value, name)), (list, set, dict))]
    good = Holder(**{name: plain for name, (_, plain) in _PLAIN.items()})
    raw = codec.encode_struct(good)
    told(codec, value)
    return raw, codec.encode_struct(good)


@pytest.mark.parametrize("round", range(10))
def test_a_storm_of_hostile_objects_leaves_the_codec_as_it_was(codec: ModuleType, round: int) -> None:
    for seed in range(round * 100, round * 100 + 100):
        before, after = storm(codec, seed)
        assert before == after, seed


@pytest.mark.parametrize("name", _PLAIN)
def test_both_say_the_same_of_liars(both: tuple[ModuleType, ModuleType], name: str) -> None:
    """Liars that lie the same each time: what one codec makes of them, the other does."""
    plain = _PLAIN[name][1]
    for method in _METHODS:
        for answer in (1, -1, None, "lie", 2.5, (1,)):
            cls = lying(object, (method,), lambda answer=answer: answer)
            verdicts = [told(codec, Holder(**{name: cls()})) for codec in both]
            assert verdicts[0] == verdicts[1], (method, answer)
            if type(plain) in _KINDS and type(plain) is not UUID:
                cls = lying(type(plain), (method,), lambda answer=answer: answer)
                verdicts = [told(codec, Holder(**{name: cls(plain)})) for codec in both]
                assert verdicts[0] == verdicts[1], (method, answer)


def test_fibers_that_switch_in_every_attribute_mix_nothing(codec: ModuleType) -> None:
    """Replies of every size, written side by side on greenlets that take turns in the middle of each value."""
    greenlet = pytest.importorskip("greenlet")
    main = greenlet.getcurrent()

    class Switching:
        def __init__(self, number: int) -> None:
            self.number = number

        @property
        def x(self) -> int:
            main.switch()
            return self.number

        @property
        def y(self) -> int:
            main.switch()
            return -self.number

    def write(number: int) -> bytes:
        value = Holder(
            text=str(number) * number * 40,
            points=[Switching(number), Switching(number + 1)],
            point=Switching(number),
            data=bytes([number]) * number * 100,
        )
        return codec.encode_struct(value)  # type: ignore[no-any-return]

    def expected(number: int) -> bytes:
        points = [Point(each, -each) for each in (number, number + 1)]
        value = Holder(
            text=str(number) * number * 40, points=points, point=points[0], data=bytes([number]) * number * 100
        )
        return codec.encode_struct(value)  # type: ignore[no-any-return]

    dice = random.Random(5)
    running = {number: greenlet.greenlet(write) for number in range(60)}
    done: dict[int, bytes] = {}
    while running:
        number = dice.choice(list(running))
        result = running[number].switch(number) if not running[number] else running[number].switch()
        if running[number].dead:
            done[number] = result
            del running[number]
    assert all(done[number] == expected(number) for number in range(60))
