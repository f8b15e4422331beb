"""Texts of the JSON protocol for its tests, whole and damaged."""

from __future__ import annotations

import random
import re

from hypothesis import HealthCheck, settings

from tests.codec.schemas import ALL, POINT, STRICT, TREE, field, function
from thriftserver.codec.plan import method_plan
from thriftserver.schema.classes import class_of

All, Point, Strict, Tree = (class_of(each) for each in (ALL, POINT, STRICT, TREE))
ECHO = method_plan(function("echo", ALL, [field(1, "value", ALL)]))
CALM = settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
#: Strings, numbers and single marks.
TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*"|[^"{}\[\]:,]+|.', re.DOTALL)
_DAMAGE = [b" ", b",", b":", b'"', b"{", b"}", b"[", b"]", b"1", b"-", b"0", b".", b"e5", b"\\", b"\\u12"]
_DAMAGE += [b"\\ud83d\\ude00", b'"NaN"', b"=", b"9" * 30, b"\xff", b"\n", b"a", b"\0", b"-1", b"2147483647"]


def of(field_name: str, text: str | bytes) -> bytes:
    """A struct of ALL with one field, whose type's name is in front of its value: ``i32:5``."""
    name, _, value = (text.encode() if isinstance(text, str) else text).partition(b":")
    id = next(each.id for each in ALL.fields if each.name == field_name)
    return b'{"%d":{"%b":%b}}' % (id, name, value)


def damaged(dice: random.Random, raw: bytes) -> bytes:
    """The same with a few marks changed, lost or added, sometimes cut off."""
    data = bytearray(raw)
    for _ in range(dice.randint(1, 3)):
        place = dice.randrange(len(data))
        data[place : place + dice.choice((0, 0, 1, 1, 4))] = dice.choice((b"", *_DAMAGE))
        data = data or bytearray(b"{")
    return bytes(data[: dice.randrange(len(data))] if dice.random() < 0.1 else data)
