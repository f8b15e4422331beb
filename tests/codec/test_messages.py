"""Whole messages: headers, calls, replies, and what is refused."""

from __future__ import annotations

import struct as pack
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.codec.schemas import ALL, NOT_FOUND, POINT, ROLE, SHAPE, STRICT, TREE, all_values, field, function, struct
from thriftserver import wire
from thriftserver.codec.plan import method_plan
from thriftserver.errors import ApplicationError, EncodeError, WireError
from thriftserver.schema import model
from thriftserver.schema.classes import class_of

Point, Shape, NotFound, Tree, All, Strict = (class_of(each) for each in (POINT, SHAPE, NOT_FOUND, TREE, ALL, STRICT))

GET = method_plan(
    function(
        "get",
        model.List(POINT),
        [field(2, "second", model.I32), field(1, "first", model.List(POINT)), field(3, "third", ROLE, default=7)],
        [field(1, "missing", NOT_FOUND)],
    )
)
PING = method_plan(function("ping", None))
FIRE = method_plan(function("fire", None, [field(1, "id", model.I32, required=True)], oneway=True))


def strict_header(name: bytes = b"get", kind: int = wire.CALL, seqid: int = 7) -> bytes:
    return pack.pack(">Ii", wire.VERSION_1 | kind, len(name)) + name + pack.pack(">i", seqid)


@pytest.mark.parametrize("seqid", [0, 7, -1, 2**31 - 1, -(2**31)])
def test_headers(codec: ModuleType, seqid: int) -> None:
    header = codec.read_header(strict_header(seqid=seqid))
    assert (header.name, header.kind, header.seqid, header.strict, header.body) == ("get", 1, seqid, True, 15)
    old = pack.pack(">i", 3) + b"get" + b"\x04" + pack.pack(">i", seqid)
    header = codec.read_header(b"...." + old, 4)
    assert (header.name, header.kind, header.seqid, header.strict, header.body) == ("get", 4, seqid, False, 16)


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x80\x01\x00\x01",
        b"\x80\x02\x00\x01" + bytes(20),
        b"GET / HTTP/1.1\r\n\r\n",
        strict_header(b"x" * 257),
        strict_header(b"\xff\xfe"),
        b"\x80\x01\x00\x01\xff\xff\xff\xff" + bytes(20),
        strict_header()[:-1],
        b"\x00\x00\x00\x09short",
    ],
)
def test_bad_headers_are_wire_errors(codec: ModuleType, frame: bytes) -> None:
    with pytest.raises(WireError):
        codec.read_header(frame)


def test_calls_come_in_as_they_went_out(codec: ModuleType) -> None:
    args = [5, [Point(1, 2)], 7]
    frame = codec.encode_call(GET, 3, args)
    assert pack.unpack(">i", frame[:4])[0] == len(frame) - 4
    header = codec.read_header(frame, 4)
    assert (header.name, header.kind, header.seqid) == ("get", wire.CALL, 3)
    for data in (frame, bytearray(frame), memoryview(frame)):
        assert codec.decode_args(GET, data, header.body) == args
    named = codec.encode_call(FIRE, 3, [1], "svc:fire")
    header = codec.read_header(named, 4)
    assert (header.name, header.kind) == ("svc:fire", wire.ONEWAY)


def test_absent_arguments(codec: ModuleType) -> None:
    assert codec.decode_args(GET, b"\0", 0) == [None, None, 7]
    with pytest.raises(WireError) as caught:
        codec.decode_args(FIRE, b"\0", 0)
    assert str(caught.value) == "args.id: required field is missing"
    with pytest.raises(EncodeError, match="takes 1 arguments, got 2"):
        codec.encode_call(FIRE, 1, [1, 2])
    with pytest.raises(EncodeError, match="required argument id is None"):
        codec.encode_call(FIRE, 1, [None])


@pytest.mark.parametrize("strict", [True, False])
def test_replies(codec: ModuleType, strict: bool) -> None:
    call = codec.new_header("get", wire.CALL, -5, strict)
    frame = codec.encode_result(GET, call, [Point(1)])
    assert pack.unpack(">i", frame[:4])[0] == len(frame) - 4
    header = codec.read_header(frame, 4)
    assert (header.name, header.kind, header.seqid, header.strict) == ("get", wire.REPLY, -5, strict)
    assert codec.decode_reply(GET, frame, header) == [Point(1)]

    frame = codec.encode_result(PING, call, "ignored")
    assert codec.decode_reply(PING, frame, codec.read_header(frame, 4)) is None

    frame = codec.encode_declared(GET, call, 0, NotFound("gone"))
    with pytest.raises(NotFound, match="gone"):
        codec.decode_reply(GET, frame, codec.read_header(frame, 4))

    frame = codec.encode_error(call, 6, "internal error \udc80")
    with pytest.raises(ApplicationError) as caught:
        codec.decode_reply(GET, frame, codec.read_header(frame, 4))
    assert (caught.value.type, caught.value.message) == (6, "internal error \\udc80")


def test_replies_that_are_none(codec: ModuleType) -> None:
    empty = strict_header(kind=wire.REPLY) + b"\0"
    with pytest.raises(ApplicationError) as caught:
        codec.decode_reply(GET, empty, codec.read_header(empty))
    assert caught.value.type == wire.Application.MISSING_RESULT
    odd = strict_header(kind=9) + b"\0"
    with pytest.raises(WireError):
        codec.decode_reply(GET, odd, codec.read_header(odd))


def test_declared_exceptions_by_class_and_by_name() -> None:
    foreign = type("NotFound", (Exception,), {})
    assert GET.declared(NotFound()) == 0
    assert GET.declared(type("Mine", (NotFound,), {})()) == 0
    assert GET.declared(foreign()) == 0
    assert GET.declared(type("Deeper", (foreign,), {})()) == 0
    assert GET.declared(KeyError()) is None
    assert PING.declared(NotFound()) is None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "result: expected list<schemas.Point>, got None"),
        ("abc", "result: expected list<schemas.Point>, got str 'abc'"),
        ([Point(1), Point("x")], "result[1].x: expected i32, got str 'x'"),
        ([Point(2**31)], "result[0].x: int 2147483648 is out of range of i32"),
        ([Point(True)], "result[0].x: expected i32, got bool True"),
        ([Point(1.0)], "result[0].x: expected i32, got float 1.0"),
        ([3], "result[0]: expected Point, got int 3"),
        ([SimpleNamespace(x=1)], "result[0]: expected Point, got SimpleNamespace without attribute 'y'"),
        ({}, "result: expected list<schemas.Point>, got dict"),
        ({1}, "result: expected list<schemas.Point>, got set"),
    ],
)
def test_results_that_do_not_fit(codec: ModuleType, value: Any, message: str) -> None:
    with pytest.raises(EncodeError) as caught:
        codec.encode_result(GET, codec.new_header("get", 1, 0), value)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("field_name", "value", "message"),
    [
        ("flag", "no", "All.flag: expected bool, got str 'no'"),
        ("flag", 2, "All.flag: expected bool, got int 2"),
        ("tiny", 128, "All.tiny: int 128 is out of range of i8"),
        ("large", -(2**63) - 1, "All.large: int -9223372036854775809 is out of range of i64"),
        ("real", "1.5", "All.real: expected double, got str '1.5'"),
        ("real", True, "All.real: expected double, got bool True"),
        ("text", b"x", "All.text: expected string, got bytes b'x'"),
        ("text", "\ud800", "All.text: a string with lone surrogates cannot be UTF-8"),
        ("data", "x", "All.data: expected binary, got str 'x'"),
        ("mark", "12345678123456781234567812345678", "All.mark: expected uuid, got str"),
        ("role", "ADMIN", "All.role: expected Role, got str 'ADMIN'"),
        ("shape", Shape(), "All.shape: union Shape holds no member"),
        ("names", [None], "All.names[0]: expected string, got None"),
        ("counts", {"a": "b"}, "All.counts['a']: expected i32, got str 'b'"),
        ("counts", {1: 1}, "All.counts[key #0]: expected string, got int 1"),
        ("by_point", {Point(1, "x"): 1.0}, "All.by_point[key #0].y: expected i32, got str 'x'"),
        ("nested", {3: [set(), {4}]}, "All.nested[3][1][0]: expected string, got int 4"),
    ],
)
def test_fields_that_do_not_fit(codec: ModuleType, field_name: str, value: Any, message: str) -> None:
    with pytest.raises(EncodeError) as caught:
        codec.encode_struct(All(**{field_name: value}))
    assert str(caught.value).startswith(message)
    assert caught.value.path
    assert message.startswith(caught.value.path)


@pytest.mark.parametrize(
    ("field_name", "value", "same"),
    [
        ("flag", 1, True),
        ("flag", 0, False),
        ("real", 3, 3.0),
        ("data", bytearray(b"x"), b"x"),
        ("data", memoryview(b"xyz")[::2], b"xz"),
        ("role", 99, 99),
        ("names", ("a", "b"), ["a", "b"]),
        ("names", {"k": 1}.keys() and ["k"], ["k"]),
        ("names", {1: "v"}.values(), ["v"]),
        ("numbers", [3, 3, 1], {1, 3}),
        ("numbers", frozenset((1,)), {1}),
        ("point", SimpleNamespace(x=1, y=None), Point(1)),
        ("shape", SimpleNamespace(circle=None, label="a", corners=None), Shape(label="a")),
    ],
)
def test_equals_of_the_right_type_are_taken(codec: ModuleType, field_name: str, value: Any, same: Any) -> None:
    back = codec.decode_struct(All, codec.encode_struct(All(**{field_name: value})))
    assert getattr(back, field_name) == same
    assert type(getattr(back, field_name)) is type(same)


def test_required_fields(codec: ModuleType) -> None:
    with pytest.raises(EncodeError, match=r"Strict\.id: required field is None"):
        codec.encode_struct(Strict())
    with pytest.raises(WireError, match=r"Strict\.id: required field is missing"):
        codec.decode_struct(Strict, b"\0")
    back = codec.decode_struct(Strict, b"\x08\x00\x01\x00\x00\x00\x05\x00")
    assert back == Strict(5)
    assert back.tags is not codec.decode_struct(Strict, b"\x08\x00\x01\x00\x00\x00\x05\x00").tags


def nested(depth: int) -> bytes:
    return b"\x0c\x00\x02" * depth + b"\0" * (depth + 1)


def test_depth_is_limited(codec: ModuleType) -> None:
    assert codec.decode_struct(Tree, nested(63)) is not None
    for unknown in (b"\x0c\x00\x09", b"\x0c\x00\x02"):
        with pytest.raises(WireError, match="nested deeper than 64 levels"):
            codec.decode_struct(Tree, nested(5_000).replace(b"\x0c\x00\x02", unknown))
    lists = b"\x0f\x00\x09" + b"\x0f\0\0\0\1" * 5_000 + b"\x02\0\0\0\0\0"
    with pytest.raises(WireError, match="nested deeper"):
        codec.decode_struct(Tree, lists)
    loop: Any = Tree(1)
    loop.left = loop
    with pytest.raises(EncodeError, match="nested deeper than 64 levels"):
        codec.encode_struct(loop)


ONE = b"\x08\x00\x01\x00\x00\x00\x01"


@pytest.mark.parametrize(
    "unknown",
    [
        b"\x02\x00\x63\x01",
        b"\x03\x00\x63\x01",
        b"\x04\x00\x63" + bytes(8),
        b"\x06\x00\x63\x00\x00",
        b"\x08\x00\x63" + bytes(4),
        b"\x0a\x00\x63" + bytes(8),
        b"\x0b\x00\x63\x00\x00\x00\x02hi",
        b"\x0c\x00\x63" + ONE + b"\0",
        b"\x0d\x00\x63\x08\x0b\x00\x00\x00\x01\x00\x00\x00\x05\x00\x00\x00\x01x",
        b"\x0d\x00\x63\x08\x08\x00\x00\x00\x01" + bytes(8),
        b"\x0d\x00\x63\x00\x00\x00\x00\x00\x00",
        b"\x0e\x00\x63\x0a\x00\x00\x00\x02" + bytes(16),
        b"\x0f\x00\x63\x0f\x00\x00\x00\x01\x02\x00\x00\x00\x01\x01",
        b"\x10\x00\x63" + bytes(16),
        b"\x0b\x00\x01\x00\x00\x00\x02hi",  # a known id with another wire type
        b"\x08\x00\x01\x00\x00\x00\x07",  # a known id twice: the last one wins
    ],
)
def test_what_is_unknown_is_skipped(codec: ModuleType, unknown: bytes) -> None:
    assert codec.decode_struct(Point, unknown + ONE + b"\0rest") == Point(1)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "Point: truncated: 1 more bytes expected, 0 left"),
        (b"\x08\x00\x01\x00\x00", "Point.x: truncated: 4 more bytes expected, 2 left"),
        (b"\x01\x00\x63", "Point.99: unknown wire type 1"),
        (b"\xff\x00\x63", "Point.99: unknown wire type 255"),
        (b"\x0f\x00\x63\x01\x00\x00\x00\x01", "Point.99: bad element type 1"),
        (b"\x0f\x00\x63\x02\x7f\xff\xff\xff\x00", "Point.99: size 2147483647 is more than the 1 bytes left can hold"),
        (b"\x0b\x00\x63\xff\xff\xff\xff", "Point.99: negative size -1"),
    ],
)
def test_what_cannot_be_skipped(codec: ModuleType, data: bytes, message: str) -> None:
    with pytest.raises(WireError) as caught:
        codec.decode_struct(Point, data)
    assert str(caught.value) == message
    assert caught.value.type == wire.Application.PROTOCOL_ERROR


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            b"\x0f\x00\x12\x08\x00\x00\x00\x01\x00\x00\x00\x00",
            "All.names: bad element type 8, expected 11 of ",
        ),
        (
            b"\x0d\x00\x10\x0b\x0b\x00\x00\x00\x01",
            "All.counts: bad element types 11:11, expected 11:8 of ",
        ),
        (b"\x0b\x00\x07\x00\x00\x00\x02\xff\xfe", "All.text: invalid UTF-8 at byte 0 of 2"),
        (
            b"\x0f\x00\x12\x0b\x00\x00\x00\x02\0\0\0\0\0\0\0\x05",
            "All.names[1]: truncated: 5 more bytes",
        ),
        (b"\x0d\x00\x10\x0b\x08\x00\x00\x00\x01\0\0\0\x01a\0\0\0", "All.counts['a']: truncated: 4 more"),
    ],
)
def test_paths_of_bad_bytes(codec: ModuleType, data: bytes, message: str) -> None:
    with pytest.raises(WireError) as caught:
        codec.decode_struct(All, data)
    assert str(caught.value).startswith(message)


def test_empty_containers_of_any_element_type(codec: ModuleType) -> None:
    assert codec.decode_struct(All, b"\x0f\x00\x12\x00\x00\x00\x00\x00\x00").names == []


def test_keys_and_members_are_hashable_equals(codec: ModuleType) -> None:
    back = codec.decode_struct(All, codec.encode_struct(all_values()))
    assert back == all_values()
    assert back.by_point[Point(1, 1)] == 1.5
    assert back.by_list[(1, 2)] == {True: b"\0"}
    assert {"k": {1, 2}} in list(back.keyed)
    assert isinstance(back.numbers, set)


def test_chains_of_thousands_of_structs(codec: ModuleType) -> None:
    last = struct("Last", field(1, "x", model.I32))
    for index in range(3_000):
        last = struct(f"Link{index}", field(1, "next", last))
    deep: model.Type = model.I32
    for _ in range(3_000):
        deep = model.List(deep)
    first = class_of(struct("First", field(1, "chain", last), field(2, "deep", deep)))
    assert codec.decode_struct(first, codec.encode_struct(first())) == first()
    with pytest.raises(WireError, match="nested deeper"):
        codec.decode_struct(first, b"\x0f\x00\x02" + b"\x0f\0\0\0\1" * 3_000)


def test_what_is_no_struct(codec: ModuleType) -> None:
    for bad in (5, None, object()):
        with pytest.raises(TypeError, match="class made from an IDL struct"):
            codec.encode_struct(bad)
    with pytest.raises(TypeError):
        codec.decode_struct(int, b"\0")


def test_a_member_that_only_a_newer_peer_knows_leaves_the_union_empty(codec: ModuleType) -> None:
    assert codec.decode_struct(Shape, b"\x08\x00\x63\x00\x00\x00\x01\x00") == Shape()


def test_the_depth_limit_can_be_set(codec: ModuleType) -> None:
    import importlib

    node = importlib.import_module(codec.__name__.replace("message", "node"))
    try:
        node.set_max_depth(3)
        assert codec.decode_struct(Tree, nested(2)) is not None
        with pytest.raises(WireError, match="nested deeper than 3 levels"):
            codec.decode_struct(Tree, nested(3))
    finally:
        node.set_max_depth(wire.MAX_DEPTH)
    for bad in (0, 201):
        with pytest.raises(ValueError, match="between 1 and 200"):
            node.set_max_depth(bad)
