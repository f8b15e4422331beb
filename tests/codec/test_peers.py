"""The same bytes as Apache's library, and handlers written for Apache's or thriftpy2's classes."""

from __future__ import annotations

import uuid
from types import ModuleType
from typing import Any

import pytest

from tests.codec.schemas import ALL, NOT_FOUND, POINT, SHAPE, STRICT, all_values, field, function
from tests.codec.variants import FORMS, codec_of
from tests.support import need
from thriftserver import wire
from thriftserver.codec.plan import method_plan
from thriftserver.schema import model
from thriftserver.schema.classes import class_of
from thriftserver.schema.frozen import FrozenMap

try:
    from thrift.protocol.TBinaryProtocol import TBinaryProtocol
    from thrift.protocol.TCompactProtocol import TCompactProtocol
    from thrift.Thrift import TApplicationException
    from thrift.transport.TTransport import TMemoryBuffer

    APACHES = {"binary": TBinaryProtocol, "compact": TCompactProtocol}
except ImportError:
    APACHES = {}

_CODES = {
    "bool": (wire.BOOL, "Bool"),
    "i8": (wire.BYTE, "Byte"),
    "i16": (wire.I16, "I16"),
    "i32": (wire.I32, "I32"),
    "i64": (wire.I64, "I64"),
    "double": (wire.DOUBLE, "Double"),
    "string": (wire.STRING, "String"),
    "binary": (wire.STRING, "Binary"),
    "uuid": (wire.UUID, "Uuid"),
}


_FORMS = pytest.mark.parametrize("form", FORMS)
_SPOKEN = pytest.mark.parametrize("protocol", ["binary", "compact"])


def _apache(protocol: str) -> Any:
    need(APACHES, "Apache's library (pip install thrift)")
    return APACHES[protocol]


def _code(type: Any) -> int:
    if isinstance(type, model.Base):
        return _CODES[type.name][0]
    kinds = {model.Enum: wire.I32, model.List: wire.LIST, model.Set: wire.SET, model.Map: wire.MAP}
    return kinds.get(type.__class__, wire.STRUCT)


def write(out: Any, type: Any, value: Any) -> None:
    """A value through Apache's generic protocol calls, as its generated code makes them."""
    if isinstance(type, model.Base):
        getattr(out, f"write{_CODES[type.name][1]}")(value)
    elif isinstance(type, model.Enum):
        out.writeI32(value)
    elif isinstance(type, model.List | model.Set):
        kind = "List" if isinstance(type, model.List) else "Set"
        getattr(out, f"write{kind}Begin")(_code(type.element), len(value))
        for item in value:
            write(out, type.element, item)
        getattr(out, f"write{kind}End")()
    elif isinstance(type, model.Map):
        out.writeMapBegin(_code(type.key), _code(type.value), len(value))
        for key, item in value.items():
            write(out, type.key, key)
            write(out, type.value, item)
        out.writeMapEnd()
    else:
        out.writeStructBegin(type.name)
        for each in sorted(type.fields, key=lambda each: each.id):
            item = getattr(value, each.name)
            if item is not None:
                out.writeFieldBegin(each.name, _code(each.type), each.id)
                write(out, each.type, item)
                out.writeFieldEnd()
        out.writeFieldStop()
        out.writeStructEnd()


def read(source: Any, type: Any, frozen: bool = False) -> Any:
    """A value through Apache's generic protocol calls."""
    if isinstance(type, model.Base):
        return getattr(source, f"read{_CODES[type.name][1]}")()
    if isinstance(type, model.Enum):
        return source.readI32()
    if isinstance(type, model.List):
        items = [read(source, type.element, frozen) for _ in range(source.readListBegin()[1])]
        source.readListEnd()
        return tuple(items) if frozen else items
    if isinstance(type, model.Set):
        members = frozenset(read(source, type.element, True) for _ in range(source.readSetBegin()[1]))
        source.readSetEnd()
        return members
    if isinstance(type, model.Map):
        size = source.readMapBegin()[2]
        made = {}
        for _ in range(size):
            key = read(source, type.key, True)
            made[key] = read(source, type.value, frozen)
        source.readMapEnd()
        return FrozenMap(made) if frozen else made
    fields = {each.id: each for each in type.fields}
    values = {}
    source.readStructBegin()
    while True:
        _, code, id = source.readFieldBegin()
        if code == wire.STOP:
            source.readStructEnd()
            return class_of(type)(**values)
        values[fields[id].name] = read(source, fields[id].type, frozen)
        source.readFieldEnd()


def by_apache(protocol: str, schema: model.Struct, value: Any) -> bytes:
    """The bytes of a value as Apache's readable source writes them."""
    buffer = TMemoryBuffer()
    write(_apache(protocol)(buffer), schema, value)
    written: bytes = buffer.getvalue()
    return written


@pytest.mark.parametrize("schema", [ALL, POINT, STRICT, NOT_FOUND, SHAPE], ids=lambda schema: schema.name)
@_SPOKEN
@_FORMS
def test_apache_writes_and_reads_the_same(protocol: str, form: str, schema: model.Struct) -> None:
    codec, apache = codec_of(protocol, form), _apache(protocol)
    cls = class_of(schema)
    value = {"All": all_values, "Strict": lambda: cls(1), "Shape": lambda: cls(label="x")}.get(schema.name, cls)()
    raw = by_apache(protocol, schema, value)
    assert codec.encode_struct(value) == raw
    assert codec.decode_struct(cls, raw) == value
    assert read(apache(TMemoryBuffer(raw)), schema) == value


@_SPOKEN
@_FORMS
def test_apache_reads_our_messages(protocol: str, form: str) -> None:
    codec, apache = codec_of(protocol, form), _apache(protocol)
    plan = method_plan(function("get", model.STRING, [field(1, "id", model.I32)]))
    theirs = apache(TMemoryBuffer(codec.encode_call(plan, 9, [5])[4:]))
    assert theirs.readMessageBegin() == ("get", wire.CALL, 9)

    header = codec.new_header("get", wire.CALL, 9)
    theirs = apache(TMemoryBuffer(codec.encode_error(header, 6, "broken")[4:]))
    assert theirs.readMessageBegin() == ("get", wire.EXCEPTION, 9)
    error = TApplicationException()
    error.read(theirs)
    assert (error.type, error.message) == (6, "broken")

    for strict in (True, False) if protocol == "binary" else (True,):
        buffer = TMemoryBuffer()
        out = apache(buffer) if strict else apache(buffer, strictWrite=False)
        out.writeMessageBegin("get", wire.CALL, -3)
        header = codec.read_header(buffer.getvalue())
        assert (header.name, header.kind, header.seqid, header.strict) == ("get", wire.CALL, -3, strict)


def test_classes_of_thriftpy2_encode_unchanged(codec: ModuleType) -> None:
    thriftpy2 = pytest.importorskip("thriftpy2")
    import io

    text = """
        struct Point { 1: i32 x, 2: i32 y }
        union Shape { 1: double circle, 2: string label, 3: list<Point> corners }
        exception NotFound { 1: string message, 2: i32 code = 404, 3: list<string> hints = ["look"] }
    """
    theirs = thriftpy2.load_fp(io.StringIO(text), "peers_thrift")
    plan = method_plan(function("get", model.List(SHAPE), [], [field(1, "missing", NOT_FOUND)]))
    header = codec.new_header("get", wire.CALL, 1)
    frame = codec.encode_result(plan, header, [theirs.Shape(corners=[theirs.Point(1, 2)])])
    shape, point = class_of(SHAPE), class_of(POINT)
    assert codec.decode_reply(plan, frame, codec.read_header(frame, 4)) == [shape(corners=[point(1, 2)])]

    error = theirs.NotFound("gone")
    assert plan.declared(error) == 0
    frame = codec.encode_declared(plan, header, 0, error)
    with pytest.raises(class_of(NOT_FOUND), match="gone"):
        codec.decode_reply(plan, frame, codec.read_header(frame, 4))


def test_any_object_with_the_attributes_will_do(codec: ModuleType) -> None:
    class Row:
        def __init__(self) -> None:
            self.x, self.y = 1, None

        @property
        def extra(self) -> int:
            raise RuntimeError("nobody asks for it")

    raw = codec.encode_struct(class_of(ALL)(point=Row(), mark=uuid.UUID(int=1)))
    assert codec.decode_struct(class_of(ALL), raw).point == class_of(POINT)(1)
