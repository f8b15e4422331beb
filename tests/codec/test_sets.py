"""Sets and maps leave each member and key once, whatever they are given as: equal as Python or as their bytes say."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any
from uuid import UUID

import pytest

from tests.codec.schemas import POINT, field, struct
from thriftserver.schema import model
from thriftserver.schema.classes import class_of

Point: Any = class_of(POINT)
Box: Any = class_of(
    struct(
        "Box",
        field(1, "whole", model.Set(model.I32)),
        field(2, "lists", model.Set(model.List(model.I32))),
        field(3, "sets", model.Set(model.Set(model.I32))),
        field(4, "maps", model.Set(model.Map(model.I32, model.I32))),
        field(5, "points", model.Set(POINT)),
        field(6, "data", model.Set(model.BINARY)),
        field(7, "reals", model.Set(model.DOUBLE)),
        field(8, "ids", model.Set(model.UUID)),
        field(9, "by_list", model.Map(model.List(model.I32), model.I32)),
        field(10, "by_number", model.Map(model.I32, model.I32)),
        field(11, "large", model.Set(model.I64)),
    )
)


class Index:
    """A number for ``__index__``, equal to nothing."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __index__(self) -> int:
        return self.number


class Row:
    """A stranger's struct, equal to nothing."""

    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y


class Pairs(Mapping[Any, Any]):
    """A mapping whose keys need not have a hash."""

    def __init__(self, *pairs: tuple[Any, Any]) -> None:
        self.pairs = pairs

    def __getitem__(self, key: Any) -> Any:
        return next(value for name, value in self.pairs if name is key)

    def __iter__(self) -> Iterator[Any]:
        return iter([name for name, _ in self.pairs])

    def __len__(self) -> int:
        return len(self.pairs)


@pytest.mark.parametrize(
    ("name", "given", "plain"),
    [
        ("whole", [1, 2, 2], {1, 2}),
        ("whole", (1, 1), {1}),
        ("whole", [1, True], {1}),
        ("whole", {Index(5), Index(5), 5}, {5}),
        ("whole", [Index(5), 5, Index(5)], {5}),
        ("large", [*range(50), *range(50)], set(range(50))),
        ("large", [number * ((1 << 61) - 1) for number in (0, 1, 2, 3)] * 2, {k * ((1 << 61) - 1) for k in range(4)}),
        ("lists", [[1], (1,), [2]], [(1,), (2,)]),
        ("lists", {(1,), (True + 0,)}, {(1,)}),
        ("sets", [{1, 9, 17}, [17, 9, 1], (9, 1, 17, 1)], [frozenset({1, 9, 17})]),
        ("maps", [{1: 2, 3: 4}, {3: 4, 1: 2}, OrderedDict([(3, 4), (1, 2)])], [{1: 2, 3: 4}]),
        ("points", [Point(1, 2), Row(1, 2), Point(1, 2)], [Point(1, 2)]),
        ("points", {Row(1, 2), Row(1, 2)}, [Point(1, 2)]),
        ("data", [b"a", bytearray(b"a"), memoryview(b"a")], {b"a"}),
        ("reals", [1, 1.0, True + 0], {1.0}),
        ("reals", {2**53, 2**53 + 1}, {2.0**53}),
        ("ids", [UUID(int=1), UUID(int=1)], {UUID(int=1)}),
        ("by_list", Pairs(([1], 1), ([2], 2), ([1], 3)), {(1,): 3, (2,): 2}),
        ("by_list", Pairs(((1,), 1), ([1], 3)), {(1,): 3}),
        ("by_number", Pairs((1, 1), (1, 1)), {1: 1}),
        ("by_number", {Index(1): 1, 1: 2}, {1: 2}),
    ],
)
def test_equal_ones_leave_once(codec: ModuleType, name: str, given: Any, plain: Any) -> None:
    raw = codec.encode_struct(Box(**{name: given}))
    assert raw == codec.encode_struct(Box(**{name: plain}))
    back = getattr(codec.decode_struct(Box, raw), name)
    assert raw[7 if name[:3] != "by_" else 8] == len(back) == len(plain)


def test_numbers_that_collide_leave_once_too(codec: ModuleType) -> None:
    """A handler may pass on what a peer has sent as a list."""
    ids = [UUID(int=number * ((1 << 61) - 1)) for number in range(500)]
    raw = codec.encode_struct(Box(ids=ids + ids))
    assert raw[4:8] == (500).to_bytes(4, "big")


def test_a_dict_of_an_order_of_its_own_keeps_it(codec: ModuleType) -> None:
    given: OrderedDict[int, int] = OrderedDict([(1, 1), (2, 2)])
    given.move_to_end(1)
    assert list(codec.decode_struct(Box, codec.encode_struct(Box(by_number=given))).by_number) == [2, 1]
