"""Values as data for people, and back."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.codec import strategies
from tests.codec.schemas import ALL, POINT, ROLE, SHAPE, STRICT, TREE, all_values
from thriftserver.codec.plain import from_plain, to_plain
from thriftserver.errors import EncodeError
from thriftserver.schema import model
from thriftserver.schema.classes import class_of


def test_a_rich_value() -> None:
    plain = to_plain(ALL, all_values())
    assert plain["role"] == "ADMIN"
    assert plain["point"] == {"x": 1, "y": 2}
    assert plain["shape"] == {"corners": [{"x": 3}, {"y": 4}]}
    assert plain["counts"] == {"one": 1, "two": 2}
    assert plain["by_point"] == [[{"x": 1, "y": 1}, 1.5], [{}, "Infinity"]]
    assert from_plain(ALL, json.loads(json.dumps(plain))) == all_values()


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_random_values_come_back(data: st.DataObject) -> None:
    schema = data.draw(strategies.structs(strategies.types()))
    value = data.draw(strategies.values(schema))
    text = json.dumps(to_plain(schema, value), allow_nan=False)
    assert from_plain(schema, json.loads(text)) == value


@pytest.mark.parametrize(
    ("type", "data", "value"),
    [
        (ROLE, "ADMIN", 7),
        (ROLE, 1, 1),
        (ROLE, "99", 99),
        (model.DOUBLE, "-Infinity", -math.inf),
        (model.DOUBLE, 3, 3.0),
        (model.BINARY, "AAE=", b"\0\1"),
        (model.Map(model.I32, model.BOOL), {"-5": True}, {-5: True}),
        (model.Map(model.BOOL, model.I8), {"true": 1}, {True: 1}),
        (model.Map(model.DOUBLE, model.I8), {"NaN": 1}, None),
        (model.Map(model.STRING, model.I8), [["a", 1]], {"a": 1}),
        (model.Set(POINT), [{"x": 1}], {class_of(POINT)(1)}),
    ],
)
def test_readings(type: Any, data: Any, value: Any) -> None:
    made = from_plain(type, data)
    assert value is None or made == value


@pytest.mark.parametrize(
    ("type", "data", "message"),
    [
        (POINT, {"z": 1}, "args.p: Point has no field 'z'; there are x, y"),
        (ALL, {"txet": "a"}, "args.p: All has no field 'txet'; did you mean 'text'?"),
        (ALL, {"point": {"x": "1"}}, "args.p.point.x: expected i32, got str '1'"),
        (ALL, {"tiny": 128}, "args.p.tiny: int 128 is out of range of i8"),
        (ALL, {"names": [1]}, "args.p.names[0]: expected string, got int 1"),
        (ALL, {"counts": {"a": True}}, "args.p.counts['a']: expected i32, got bool True"),
        (ALL, {"data": "?"}, "args.p.data: expected base64, got str '?'"),
        (ALL, {"mark": 5}, "args.p.mark: expected uuid, got int 5"),
        (ROLE, "ADMN", "args.p: no Role is called 'ADMN'; did you mean 'ADMIN'?"),
        (STRICT, {}, "args.p.id: required field is missing"),
        (SHAPE, {}, "args.p: union Shape needs exactly one member, got none"),
        (SHAPE, {"circle": 1, "label": "a"}, "args.p: union Shape needs exactly one member, got circle, label"),
        (model.Map(POINT, model.I32), {"a": 1}, "args.p: expected map<schemas.Point,i32>, got dict"),
        (model.Map(model.I32, model.I32), [[1]], "args.p[0]: expected [key, value], got list"),
    ],
)
def test_mistakes(type: Any, data: Any, message: str) -> None:
    with pytest.raises(EncodeError) as caught:
        from_plain(type, data, "args.p")
    assert str(caught.value) == message


def test_depth_is_limited() -> None:
    data: Any = {}
    for _ in range(100):
        data = {"left": data}
    with pytest.raises(EncodeError, match="nested deeper"):
        from_plain(TREE, data)
    loop: Any = class_of(TREE)()
    loop.left = loop
    with pytest.raises(EncodeError, match="nested deeper"):
        to_plain(TREE, loop)
