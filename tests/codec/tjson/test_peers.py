"""The JSON protocol as Apache's library and thriftpy2 speak it: they read ours and we read theirs.

Apache's Python library has its ways: it writes doubles with 17 digits, control characters as they are, and NaN and the
infinities as Python's bare words, which is no JSON and nobody reads, not even the library itself. It reads no white
space. thriftpy2 writes bare words, too, those of JavaScript; of a binary in a container it reads only padded base64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from io import StringIO
from types import ModuleType
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tests.codec import strategies
from tests.codec.apache import TYPES, spec_of, structs
from tests.codec.schemas import field, function, struct
from tests.codec.tjson.texts import CALM
from tests.support import need
from thriftserver import wire
from thriftserver.codec.plan import method_plan
from thriftserver.schema import model
from thriftserver.schema.classes import class_of

try:
    from thrift.protocol.TBase import TBase
    from thrift.protocol.TJSONProtocol import TJSONProtocol
    from thrift.transport.TTransport import TMemoryBuffer
except ImportError:
    TJSONProtocol = None
try:
    import thriftpy2
    from thriftpy2.protocol.apache_json import TApacheJSONProtocol
    from thriftpy2.thrift import TPayload, TType
    from thriftpy2.transport.memory import TMemoryBuffer as TheirBuffer
except ImportError:
    thriftpy2 = None


def theirs_of(schema: model.Struct) -> Any:
    """The class that Apache's compiler would make of a struct."""
    made = type(schema.name, (TBase,), dict.fromkeys(each.name for each in schema.fields))
    made.thrift_spec = spec_of(schema, lambda each: made if each is schema else theirs_of(each))[1][1]
    return made


def converted(type: Any, value: Any, class_of: Callable[[Any], Any]) -> Any:
    """A value in other classes."""
    if isinstance(type, model.Struct) and value is not None:
        parts = {each.name: converted(each.type, getattr(value, each.name), class_of) for each in type.fields}
        made = class_of(type)()
        for name, part in parts.items():
            if part is not None:
                setattr(made, name, part)
        return made
    if isinstance(type, model.Map) and value is not None:
        return {key: converted(type.value, each, class_of) for key, each in value.items()}
    if isinstance(type, model.List) and value is not None:
        return [converted(type.element, each, class_of) for each in value]
    return set(value) if isinstance(type, model.Set) and value is not None else value  # thriftpy2 makes lists of them


def written_by_apache(schema: model.Struct, value: Any) -> bytes:
    buffer = TMemoryBuffer()
    converted(schema, value, theirs_of).write(TJSONProtocol(buffer))
    raw: bytes = buffer.getvalue()
    return raw


def read_by_apache(schema: model.Struct, raw: bytes) -> Any:
    found = theirs_of(schema)()
    found.read(TJSONProtocol(TMemoryBuffer(raw)))
    return converted(schema, found, class_of)


def odd(raw: bytes) -> bool:
    """Whether an infinity is in it, for which JSON has no number."""
    return b'"Infinity"' in raw or b'"-Infinity"' in raw


@given(data=st.data())
@CALM
def test_random_schemas_are_the_same_to_apache(both: tuple[ModuleType, ModuleType], data: st.DataObject) -> None:
    need(TJSONProtocol, "Apache's library (pip install thrift)")
    schema = data.draw(structs(TYPES))
    value = data.draw(strategies.values(schema))
    for codec in both:
        raw = codec.encode_struct(value)
        assert read_by_apache(schema, raw) == value
        if not odd(raw):
            assert codec.decode_struct(class_of(schema), written_by_apache(schema, value)) == value


def test_apache_writes_the_same_but_for_doubles_and_control_characters(codec: ModuleType) -> None:
    need(TJSONProtocol, "Apache's library (pip install thrift)")
    schema = struct(
        "Same",
        field(1, "text", model.STRING),
        field(2, "data", model.BINARY),
        field(3, "map", model.Map(model.I64, model.List(model.BOOL))),
        field(4, "real", model.DOUBLE),
    )
    cls = class_of(schema)
    value = cls('"\\/\n\x7fé😀', b"abcd", {-5: [True], 2**40: []}, 0.5)
    assert codec.encode_struct(value) == written_by_apache(schema, value)
    assert written_by_apache(schema, cls("\x01", real=0.1)) == b'{"1":{"str":"\x01"},"4":{"dbl":0.10000000000000001}}'
    odd_ones = written_by_apache(schema, cls(real=math.nan))
    assert odd_ones == b'{"4":{"dbl":nan}}'
    assert math.isnan(codec.decode_struct(cls, odd_ones).real)
    for word in ("NaN", "nan", "Infinity", "-Infinity", "inf", "-inf"):  # thriftpy2 and Node write those of JavaScript
        real = codec.decode_struct(cls, f'{{"4":{{"dbl":{word}}}}}'.encode()).real
        assert real == float(word) or (math.isnan(real) and word.lower() == "nan")
    for value in (math.inf, -math.inf):
        assert codec.decode_struct(cls, written_by_apache(schema, cls(real=value))).real == value
        assert read_by_apache(schema, codec.encode_struct(cls(real=value))).real == value


def test_apache_knows_uuids_and_messages(codec: ModuleType) -> None:
    need(TJSONProtocol, "Apache's library (pip install thrift)")
    mark = UUID("12345678-1234-5678-1234-567812345678")
    plan = method_plan(function("get", model.UUID, [field(1, "mark", model.UUID)]))
    frame = codec.encode_call(plan, -9, [mark])
    protocol = TJSONProtocol(TMemoryBuffer(frame[4:]))
    assert protocol.readMessageBegin() == ("get", wire.CALL, -9)
    protocol.readStructBegin()
    assert protocol.readFieldBegin() == (None, wire.UUID, 1)
    assert protocol.readUuid() == mark
    protocol.readFieldEnd()
    assert protocol.readFieldBegin()[1] == wire.STOP
    protocol.readStructEnd()
    protocol.readMessageEnd()

    buffer = TMemoryBuffer()
    protocol = TJSONProtocol(buffer)
    protocol.writeMessageBegin("get", wire.REPLY, -9)
    protocol.writeStructBegin("get_result")
    protocol.writeFieldBegin("success", wire.UUID, 0)
    protocol.writeUuid(mark)
    protocol.writeFieldEnd()
    protocol.writeFieldStop()
    protocol.writeStructEnd()
    protocol.writeMessageEnd()
    raw = buffer.getvalue()
    assert codec.decode_reply(plan, raw, codec.read_header(raw)) == mark
    assert codec.encode_result(plan, codec.new_header("get", wire.CALL, -9), mark)[4:] == raw


_IDL = """
struct Inner { 1: i32 x, 2: list<double> reals }
struct Outer {
    1: bool flag, 2: i8 tiny, 3: i64 large, 4: double real, 5: string text, 6: binary data, 7: list<Inner> inners
    8: set<i16> numbers, 9: map<i32, string> names, 10: map<string, Inner> named, 11: Inner inner
    12: list<binary> blobs
}
"""
_INNER = struct("Inner", field(1, "x", model.I32), field(2, "reals", model.List(model.DOUBLE)))
_OUTER = struct(
    "Outer",
    field(1, "flag", model.BOOL),
    field(2, "tiny", model.I8),
    field(3, "large", model.I64),
    field(4, "real", model.DOUBLE),
    field(5, "text", model.STRING),
    field(6, "data", model.BINARY),
    field(7, "inners", model.List(_INNER)),
    field(8, "numbers", model.Set(model.I16)),
    field(9, "names", model.Map(model.I32, model.STRING)),
    field(10, "named", model.Map(model.STRING, _INNER)),
    field(11, "inner", _INNER),
    field(12, "blobs", model.List(model.BINARY)),
)


@given(data=st.data())
@CALM
def test_values_are_the_same_to_thriftpy2(both: tuple[ModuleType, ModuleType], data: st.DataObject) -> None:
    need(thriftpy2, "thriftpy2")
    theirs = thriftpy2.load_fp(StringIO(_IDL), "tjson_peer_thrift")
    value = data.draw(strategies.values(_OUTER).filter(lambda value: not odd(both[0].encode_struct(value))))
    plan = method_plan(function("put", None, [field(1, "value", _OUTER)]))

    Args = type("Args", (TPayload,), {"thrift_spec": {1: (TType.STRUCT, "value", theirs.Outer, False)}, "value": None})

    for codec in both:
        args = Args()
        protocol = TApacheJSONProtocol(TheirBuffer(codec.encode_call(plan, 5, [value])[4:]))
        assert protocol.read_message_begin() == ["put", wire.CALL, 5]
        protocol.read_struct(args)
        assert converted(_OUTER, args.value, class_of) == value

        buffer = TheirBuffer()
        protocol = TApacheJSONProtocol(buffer)
        protocol.write_message_begin("put", wire.CALL, 5)
        args.value = converted(_OUTER, value, lambda schema: getattr(theirs, schema.name))
        protocol.write_struct(args)
        raw = buffer.getvalue()
        assert codec.decode_args(plan, raw, codec.read_header(raw).body) == [value]
