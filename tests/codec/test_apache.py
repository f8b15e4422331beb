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
from tests.codec.schemas import ALL, NOT_FOUND, POINT, enum, field, function, struct
from tests.support import need
from thriftserver import wire
from thriftserver.codec.plan import method_plan
from thriftserver.schema import model
from thriftserver.schema.classes import class_of

try:
    from thrift.protocol import fastbinary
    from thrift.protocol.TBase import TBase
    from thrift.protocol.TBinaryProtocol import TBinaryProtocolAccelerated
    from thrift.Thrift import TException
    from thrift.transport.TTransport import TMemoryBuffer
except ImportError:
    fastbinary = None

_BASES: dict[str, tuple[int, Any]] = {
    "bool": (wire.BOOL, None),
    "i8": (wire.BYTE, None),
    "i16": (wire.I16, None),
    "i32": (wire.I32, None),
    "i64": (wire.I64, None),
    "double": (wire.DOUBLE, None),
    "string": (wire.STRING, "UTF8"),
    "binary": (wire.STRING, "BINARY"),
}
#: All that Apache's extension can read: it has no uuid, and no hashable containers for keys and members.
_KEYS = st.sampled_from([model.BOOL, model.I8, model.I16, model.I32, model.I64, model.STRING, model.BINARY])
_LEAVES = _KEYS | st.just(model.DOUBLE) | strategies.enums()


def _structs(inner: Any) -> Any:
    return strategies.structs(inner, least=1, most=300)


_TYPES = st.recursive(
    _LEAVES,
    lambda inner: st.one_of(
        st.builds(model.List, inner), st.builds(model.Set, _KEYS), st.builds(model.Map, _KEYS, inner), _structs(inner)
    ),
    max_leaves=8,
)


def spec_of(type: Any) -> tuple[int, Any]:
    """Wire type and type arguments, as Apache's compiler writes them into generated code."""
    if isinstance(type, model.Base):
        return _BASES[type.name]
    if isinstance(type, model.Enum):
        return wire.I32, None
    if isinstance(type, model.List | model.Set):
        return wire.LIST if isinstance(type, model.List) else wire.SET, (*spec_of(type.element), False)
    if isinstance(type, model.Map):
        return wire.MAP, (*spec_of(type.key), *spec_of(type.value), False)
    rows: list[Any] = [None] * (max((each.id for each in type.fields), default=0) + 1)
    for each in type.fields:
        rows[each.id] = (each.id, spec_of(each.type)[0], each.name, spec_of(each.type)[1], None)
    return wire.STRUCT, [class_of(type), tuple(rows)]


def agree(codec: ModuleType, schema: model.Struct, value: Any) -> None:
    cls, spec = class_of(schema), spec_of(schema)[1]
    raw = fastbinary.encode_binary(value, spec)
    assert codec.encode_struct(value) == raw
    theirs = cls()
    fastbinary.decode_binary(theirs, TBinaryProtocolAccelerated(TMemoryBuffer(raw)), spec)
    assert codec.decode_struct(cls, raw) == theirs == value


@given(data=st.data())
@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
def test_random_schemas_are_the_same_to_apache(both: tuple[ModuleType, ModuleType], data: st.DataObject) -> None:
    need(fastbinary, "Apache's library with its C extension (pip install thrift)")
    schema = data.draw(_structs(_TYPES))
    value = data.draw(strategies.values(schema))
    for codec in both:
        agree(codec, schema, value)


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
    frame = codec.encode_declared(plan, codec.Header("get", wire.CALL, 1), 0, NotFound("gone"))
    with pytest.raises(class_of(NOT_FOUND), match="gone"):
        codec.decode_reply(plan, frame, codec.read_header(frame, 4))


@pytest.mark.parametrize("value", [-0.0, float("inf"), 5e-324])
def test_odd_doubles(codec: ModuleType, value: float) -> None:
    need(fastbinary, "Apache's library with its C extension (pip install thrift)")
    schema = struct("Odd", field(1, "a", model.DOUBLE), field(2, "b", enum("Sign", MINUS=-1)))
    agree(codec, schema, class_of(schema)(value, -1))
