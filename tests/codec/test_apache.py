"""Random schemas through Apache's library: its C extension and ours write the same bytes and read the same values.

Apache's ``thrift_spec`` tuples are made at run time, so no compiler is needed. Its extension takes any class that has
the attributes, so it gets our values and fills our classes: what it reads compares directly.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.codec import strategies
from tests.codec.apache import TYPES, spec_of, structs
from tests.codec.schemas import ALL, NOT_FOUND, POINT, enum, field, function, struct
from tests.codec.variants import both_of
from tests.support import need
from thriftserver import wire
from thriftserver.codec.plan import method_plan
from thriftserver.schema import model
from thriftserver.schema.classes import class_of

try:
    from thrift.protocol import fastbinary
    from thrift.protocol.TBase import TBase
    from thrift.protocol.TBinaryProtocol import TBinaryProtocolAccelerated
    from thrift.protocol.TCompactProtocol import TCompactProtocolAccelerated
    from thrift.Thrift import TException
    from thrift.transport.TTransport import TMemoryBuffer
except ImportError:
    fastbinary = None


#: What Apache's extension knows.
_SPOKEN = pytest.mark.parametrize("protocol", ["binary", "compact"])


def agree(protocol: str, schema: model.Struct, value: Any) -> None:
    need(fastbinary, "Apache's library with its C extension (pip install thrift)")
    cls, spec = class_of(schema), spec_of(schema)[1]
    raw = getattr(fastbinary, f"encode_{protocol}")(value, spec)
    theirs = cls()
    reader = {"binary": TBinaryProtocolAccelerated, "compact": TCompactProtocolAccelerated}[protocol]
    getattr(fastbinary, f"decode_{protocol}")(theirs, reader(TMemoryBuffer(raw)), spec)
    for codec in both_of(protocol):
        assert codec.encode_struct(value) == raw
        assert codec.decode_struct(cls, raw) == theirs == value


@_SPOKEN
@given(data=st.data())
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_random_schemas_are_the_same_to_apache(protocol: str, data: st.DataObject) -> None:
    schema = data.draw(structs(TYPES))
    agree(protocol, schema, data.draw(strategies.values(schema)))


def test_values_of_generated_classes_encode_unchanged(codec: ModuleType) -> None:
    need(fastbinary, "Apache's library with its C extension (pip install thrift)")

    class Point(TBase):  # type: ignore[misc, unused-ignore]
        thrift_spec = spec_of(POINT)[1][1]

        def __init__(self, x: Any = None, y: Any = None) -> None:
            self.x, self.y = x, y

    class NotFound(TException):  # type: ignore[misc, unused-ignore]
        code, hints = 5, None

    ours = class_of(ALL)(point=class_of(POINT)(1, 2))
    assert codec.encode_struct(class_of(ALL)(point=Point(1, 2))) == codec.encode_struct(ours)
    plan = method_plan(function("get", None, (), [field(1, "missing", NOT_FOUND)]))
    assert plan.declared(NotFound("gone")) == 0
    frame = codec.encode_declared(plan, codec.new_header("get", wire.CALL, 1), 0, NotFound("gone"))
    with pytest.raises(class_of(NOT_FOUND), match="gone"):
        codec.decode_reply(plan, frame, codec.read_header(frame, 4))


@_SPOKEN
@pytest.mark.parametrize("value", [-0.0, float("inf"), 5e-324])
def test_odd_doubles(protocol: str, value: float) -> None:
    schema = struct("Odd", field(1, "a", model.DOUBLE), field(2, "b", enum("Sign", MINUS=-1)))
    agree(protocol, schema, class_of(schema)(value, -1))
