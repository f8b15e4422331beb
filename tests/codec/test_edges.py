"""Where compiled code changes its way: ends of its memory, sizes that are copied differently, digits of numbers."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest

from tests.codec.schemas import ALL, STRICT, field, function, struct
from thriftserver import wire
from thriftserver.codec.plan import method_plan
from thriftserver.errors import EncodeError
from thriftserver.schema import model
from thriftserver.schema.classes import class_of

All, Strict = class_of(ALL), class_of(STRICT)
_SCALARS = ("flag", "tiny", "small", "whole", "large", "real", "text", "data")
_ROW = struct(
    "Row",
    field(1, "text", model.STRING),
    field(2, "large", model.I64),
    field(3, "data", model.BINARY),
    field(4, "flag", model.BOOL),
    field(5, "rest", model.List(model.I32)),
)
Row = class_of(_ROW)
ROW = method_plan(function("row", _ROW))


def both_ways(both: tuple[ModuleType, ModuleType], value: Any) -> None:
    pure, native = both
    raw = pure.encode_struct(value)
    assert native.encode_struct(value) == raw
    assert native.decode_struct(type(value), raw) == value


@pytest.mark.parametrize("sizes", [range(80), range(16_290, 16_400)], ids=["copies", "memory"])
def test_texts_and_bytes_of_every_size(both: tuple[ModuleType, ModuleType], sizes: range) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz" * 700
    for size in sizes:
        text = letters[size % 26 :][:size]
        both_ways(both, Row(text, 2, b"", True, [1]))
        both_ways(both, Row("", 2, text.encode(), False, [1]))
        both_ways(both, Row(text[:-1] + "\xe9", 2, None, None, None))


def test_replies_of_every_size_around_a_sinks_memory(both: tuple[ModuleType, ModuleType]) -> None:
    pure, native = both
    headers = [codec.new_header("row", wire.CALL, 7) for codec in both]
    for size in (*range(940, 1030), *range(16_290, 16_400), 70_000):
        row = Row("x" * size, size, b"y", True, [size])
        assert native.encode_result(ROW, headers[1], row) == pure.encode_result(ROW, headers[0], row), size


@pytest.mark.parametrize("bits", [0, 7, 8, 15, 16, 29, 30, 31, 32, 59, 60, 61, 62, 63, 64, 90])
def test_numbers_around_every_limit(both: tuple[ModuleType, ModuleType], bits: int) -> None:
    for number in {sign * (2**bits) + step for sign in (1, -1) for step in (-1, 0, 1)}:
        for name in ("tiny", "small", "whole", "large"):
            told = []
            for codec in both:
                try:
                    told.append(codec.encode_struct(All(**{name: number})))
                except EncodeError as error:
                    told.append(str(error))
            assert told[0] == told[1], (name, number)


@pytest.mark.parametrize("name", _SCALARS)
@pytest.mark.parametrize(
    "value", [None, True, False, 1, 1.0, "1", b"1", bytearray(b"1"), "\u20ac", "\ud800", object, 2**70, float("nan")]
)
def test_every_kind_of_value_in_every_field(both: tuple[ModuleType, ModuleType], name: str, value: Any) -> None:
    told: list[Any] = []
    for codec in both:
        filled = All(flag=True, text="before", large=5)
        setattr(filled, name, value)
        try:
            told.append(codec.encode_struct(filled))
        except EncodeError as error:
            told.append((str(error), error.path))
    assert told[0] == told[1]


def test_a_deleted_field_is_an_error_with_its_name(both: tuple[ModuleType, ModuleType]) -> None:
    for codec in both:
        row = Row("a", 1, b"", True, [])
        del row.large
        with pytest.raises(EncodeError, match="without attribute 'large'"):
            codec.encode_struct(row)
        row.large = 1
        assert codec.decode_struct(Row, codec.encode_struct(row)) == row


@pytest.mark.parametrize("name", [each.name for each in STRICT.fields if each.required])
def test_a_required_field_that_is_none_is_named(both: tuple[ModuleType, ModuleType], name: str) -> None:
    for codec in both:
        strict = Strict(id=1)
        setattr(strict, name, None)
        with pytest.raises(EncodeError, match="required field is None") as caught:
            codec.encode_struct(strict)
        assert caught.value.path == f"Strict.{name}"
