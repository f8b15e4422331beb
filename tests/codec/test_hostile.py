"""Values that change or raise while they are written: an error or a good value, never a crash, never half a reply."""

from __future__ import annotations

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import pytest

from tests.codec.schemas import ALL, POINT, SHAPE, TREE, field, struct
from tests.codec.soak import growth
from thriftserver.errors import EncodeError, WireError
from thriftserver.schema import model
from thriftserver.schema.classes import class_of

All, Point, Shape, Tree = (class_of(each) for each in (ALL, POINT, SHAPE, TREE))
Numbers: Any = class_of(
    struct(
        "Numbers",
        field(1, "i32s", model.List(model.I32)),
        field(2, "i64s", model.List(model.I64)),
        field(3, "doubles", model.List(model.DOUBLE)),
        field(4, "bytes", model.List(model.I8)),
        field(5, "map", model.Map(model.I32, model.I32)),
        field(6, "points", model.List(POINT)),
    )
)


class Meddler:
    """A number that does something to its container when it is asked for its value."""

    def __init__(self, meddle: Callable[[], Any]) -> None:
        self.meddle = meddle

    def __index__(self) -> int:
        self.meddle()
        return 5

    def __float__(self) -> float:
        self.meddle()
        return 5.0


@pytest.mark.parametrize("name", ["i32s", "i64s", "doubles", "bytes"])
@pytest.mark.parametrize("change", ["clear", "pop", "grow"])
def test_a_list_that_changes_while_it_is_written(codec: ModuleType, name: str, change: str) -> None:
    items: list[Any] = []
    meddle = {"clear": items.clear, "pop": items.pop, "grow": lambda: items.append(1) if len(items) < 2000 else None}
    items += [1 if name != "doubles" else 1.0] * 500 + [Meddler(meddle[change])] + [2**20 % 100] * 500
    with pytest.raises(EncodeError, match="changed its size while it was written"):
        codec.encode_struct(Numbers(**{name: items}))


@pytest.mark.parametrize("change", ["clear", "grow", "replace"])
def test_a_map_that_changes_while_it_is_written(codec: ModuleType, change: str) -> None:
    items: dict[Any, Any] = {}

    def grow() -> None:
        items[len(items) + 100] = 1

    def replace() -> None:
        items.pop(0)
        items[-1] = 7

    items.update({0: Meddler({"clear": items.clear, "grow": grow, "replace": replace}[change]), 1: 2, 2: 3})
    with pytest.raises(EncodeError, match="changed its size while it was written"):
        codec.encode_struct(Numbers(map=items))


def test_a_foreign_object_that_empties_its_list(codec: ModuleType) -> None:
    points: list[Any] = []

    class Foreign:
        y = None

        @property
        def x(self) -> int:
            points.clear()
            return 1

    points += [Foreign(), Foreign(), Point(1)]
    with pytest.raises(EncodeError, match="changed its size"):
        codec.encode_struct(Numbers(points=points))


def test_what_a_foreign_attribute_raises_comes_through_and_nothing_is_broken(codec: ModuleType) -> None:
    class Broken:
        y = 1

        @property
        def x(self) -> int:
            raise ValueError("no database")

    for _ in range(3):
        with pytest.raises(ValueError, match="no database"):
            codec.encode_struct(All(point=Broken()))
        assert codec.decode_struct(Point, codec.encode_struct(Point(1, 2))) == Point(1, 2)


def test_a_value_may_encode_another_one_while_it_is_encoded(codec: ModuleType) -> None:
    inner = codec.encode_struct(Point(3, 4))

    class Foreign:
        y = 2

        @property
        def x(self) -> int:
            assert codec.encode_struct(Point(3, 4)) == inner
            return 1

    assert codec.encode_struct(All(point=Foreign(), text="x" * 50_000)) == codec.encode_struct(
        All(point=Point(1, 2), text="x" * 50_000)
    )


@pytest.mark.parametrize("value", [float("nan"), -0.0, float("-inf"), 5e-324])
def test_doubles_keep_every_bit(codec: ModuleType, value: float) -> None:
    raw = codec.encode_struct(All(real=value))
    assert codec.encode_struct(codec.decode_struct(All, raw)) == raw


@pytest.mark.parametrize("number", [0, 2**30 - 1, 2**30, 2**31, 2**32, 2**59, 2**60 - 1, 2**60, 2**62, 2**63 - 1])
def test_integers_of_every_size(codec: ModuleType, number: int) -> None:
    items = [number, -number, ~number, number - 1]
    back = codec.decode_struct(Numbers, codec.encode_struct(Numbers(i64s=items))).i64s
    assert back == items
    for one, other in zip(back, items, strict=True):
        assert (hash(one), repr(one), one + 1, one // 7, -one) == (
            hash(other),
            repr(other),
            other + 1,
            other // 7,
            -other,
        )


@pytest.mark.parametrize(
    "text",
    ["é", "éé", "aé", "éa" * 40, "ÿ\x80", "Ā", "a\x00é", "日本", "é日", "\U0001f600é", "x" * 31 + "é", "\x7f\x80"],
)
def test_texts_of_every_width(codec: ModuleType, text: str) -> None:
    back = codec.decode_struct(All, codec.encode_struct(All(text=text, counts={text: 1})))
    assert (back.text, back.counts) == (text, {text: 1})
    assert hash(back.text) == hash(text)


@pytest.mark.parametrize(
    "data",
    [b"\xc3", b"a\xc3", b"\xc3\xc3", b"\xc0\x80", b"\xc1\xbf", b"ab\x80", b"\xed\xa0\x80", b"\xc2\x7f", b"\xf5aaa"],
)
def test_what_is_no_utf8(codec: ModuleType, data: bytes) -> None:
    with pytest.raises(WireError, match="invalid UTF-8"):
        codec.decode_struct(All, b"\x0b\0\x07" + len(data).to_bytes(4, "big") + data + b"\0")


def test_subclasses_count_as_what_they_are(codec: ModuleType) -> None:
    class Int(int):
        def __index__(self) -> int:
            return 99

    class Text(str):
        __slots__ = ()

    class Bytes(bytes):
        pass

    value = All(whole=Int(5), text=Text("a"), data=Bytes(b"b"), names=[Text("é")], numbers={Int(7)})
    assert codec.encode_struct(value) == codec.encode_struct(
        All(whole=5, text="a", data=b"b", names=["é"], numbers={7})
    )


@pytest.mark.parametrize("items", [(each for each in "ab"), iter("ab"), map(str, [1])])
def test_what_has_no_size_is_no_list(codec: ModuleType, items: Any) -> None:
    with pytest.raises(EncodeError, match=r"All\.names: expected list<string>, got"):
        codec.encode_struct(All(names=items))


def test_a_mapping_that_lies_about_its_items(codec: ModuleType) -> None:
    class Liar(Mapping[str, int]):
        def __getitem__(self, key: str) -> int:
            return 1

        def __iter__(self) -> Any:
            return iter("ab")

        def __len__(self) -> int:
            return 1_000_000

    assert codec.decode_struct(All, codec.encode_struct(All(counts=Liar()))).counts == {"a": 1, "b": 1}


def test_a_huge_map_of_empty_structs_costs_what_it_sends(codec: ModuleType) -> None:
    data = b"\x0d\0\x63\x0c\x0c" + (2**31 - 1).to_bytes(4, "big") + bytes(1000)
    with pytest.raises(WireError, match="more than the 1000 bytes left can hold"):
        codec.decode_struct(Point, data)
    for code in (b"\x0e\0\x63\0", b"\x0f\0\x63\1", b"\x0d\0\x63\0\0", b"\x0d\0\x63\x0b\1"):
        with pytest.raises(WireError, match="bad element type"):
            codec.decode_struct(Point, code + b"\0\0\0\1" + bytes(10))


def test_a_deleted_attribute_is_an_error(codec: ModuleType) -> None:
    point: Any = Point(1, 2)
    del point.x
    with pytest.raises(EncodeError, match=r"without attribute 'x'"):
        codec.encode_struct(point)


def test_the_soak_would_notice_a_leak() -> None:
    hoard: list[bytes] = []
    assert growth(lambda rounds: hoard.extend(bytes(64) for _ in range(rounds)), 100_000) > 6_000_000


@pytest.mark.parametrize("kind", [Counter, OrderedDict, lambda items: defaultdict(int, items)])
def test_any_kind_of_dict_is_a_map(codec: ModuleType, kind: Callable[[dict[int, int]], Any]) -> None:
    plain = codec.encode_struct(Numbers(map={1: 2, 3: 4}))
    assert codec.encode_struct(Numbers(map=kind({1: 2, 3: 4}))) == plain
