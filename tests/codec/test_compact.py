"""The bytes of the compact protocol: how they are written, what else is read, and each that is refused."""

from __future__ import annotations

import io
import tracemalloc
import uuid
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.codec.schemas import ALL, POINT, field, function, struct
from tests.codec.test_tally import counts, expected
from tests.codec.variants import both_of
from thriftserver import wire
from thriftserver.codec.plan import method_plan
from thriftserver.errors import WireError
from thriftserver.schema import model
from thriftserver.schema.classes import class_of

All, Point = class_of(ALL), class_of(POINT)
Many: Any = class_of(
    struct(
        "Many",
        field(1, "flags", model.List(model.BOOL)),
        field(2, "bytes", model.List(model.I8)),
        field(3, "longs", model.List(model.I64)),
        field(4, "doubles", model.List(model.DOUBLE)),
        field(5, "map", model.Map(model.STRING, model.BOOL)),
        field(6, "flag", model.BOOL),
        field(100, "far", model.I8),
        field(32767, "last", model.BOOL),
    )
)


def refused(call: Any, *args: Any) -> str:
    with pytest.raises(WireError) as caught:
        call(*args)
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        (Point(), "00"),
        (Point(0, -1), "15 00 15 01 00"),
        (Point(64, -(2**31)), "15 8001 15 ffffffff0f 00"),
        (Point(None, 1), "25 02 00"),
        (All(flag=True), "11 00"),
        (All(flag=False), "12 00"),
        (All(tiny=-1), "23 ff 00"),
        (All(small=-32768), "34 ffff03 00"),
        (All(large=-(2**63)), "56 ffffffffffffffffff01 00"),
        (All(real=1.0), "67 000000000000f03f 00"),
        (All(text="é"), "78 02 c3a9 00"),
        (All(data=b"\0"), "88 01 00 00"),
        (All(mark=uuid.UUID(int=1)), "9d 00000000000000000000000000000001 00"),
        (All(names=["a"]), "0924 18 01 61 00"),
        (All(names=[""] * 15), "0924 f8 0f" + "00" * 15 + "00"),
        (All(numbers={1}), "0a22 16 02 00"),
        (All(counts={}), "0b20 00 00"),
        (All(counts={"a": 1}), "0b20 01 85 01 61 02 00"),
        (All(by_list={(): {True: b""}}), "db 01 9b 05 01 18 01 00 00"),
        (Many([True, False]), "19 21 01 02 00"),
        (Many(map={"a": True}), "5b 01 81 01 61 01 00"),
        (Many(bytes=[1], far=1), "29 13 01 03 c801 01 00"),
        (Many(flag=True, last=True), "61 01 feff03 00"),
    ],
    ids=str,
)
def test_bytes(compact: ModuleType, value: Any, raw: str) -> None:
    assert compact.encode_struct(value).hex() == raw.replace(" ", "")
    assert compact.decode_struct(type(value), bytes.fromhex(raw)) == value


@pytest.mark.parametrize(
    ("value", "raw"),
    [
        (Point(1, 2), "05 02 02 05 04 04 00"),  # whole ids where steps would do
        (Point(1, 2), "05 04 04 05 02 02 00"),  # a step back
        (Point(1, 2), "15 828000 15 8480808000 00"),  # longer than they need be
        (Point(1), "15 02 f0"),  # only four bits make a stop
        (Point(3), "15 02 05 02 06 00"),  # the last one wins
        (Point(1), "11 05 02 02 00"),  # an id that is known, with a value in the header
        (Point(1), "15 02 1c 15 02 11 00 11 12 00"),  # steps inside of a struct that is passed over
        (All(flag=False), "11 02 02 00"),
        (All(names=["a"]), "0924 f8 01 01 61 00"),  # a size of its own where four bits would do
        (All(names=[]), "0924 00 00"),
        (All(names=[]), "0924 0f 00"),  # of which there are none, whatever they are
        (Many([True, False, False, True]), "19 42 01 00 ff 01 00"),
        (Many(map={"a": False}), "5b 01 82 01 61 00 00"),
    ],
    ids=str,
)
def test_what_is_read_but_not_written(compact: ModuleType, value: Any, raw: str) -> None:
    assert compact.decode_struct(type(value), bytes.fromhex(raw)) == value


_STEP = "03 feff03 00"  # field 32767, an i8


@pytest.mark.parametrize(
    ("cls", "raw", "message"),
    [
        (Point, "", "Point: truncated: 1 more bytes expected, 0 left"),
        (Point, "15 02", "Point: truncated: 1 more bytes expected, 0 left"),
        (Point, "05", "Point: truncated: 1 more bytes expected, 0 left"),
        (Point, "15", "Point.x: truncated: 1 more bytes expected, 0 left"),
        (Point, "15 8080", "Point.x: truncated: 1 more bytes expected, 0 left"),
        (All, "67 00", "All.real: truncated: 8 more bytes expected, 1 left"),
        (All, "9d 00", "All.mark: truncated: 16 more bytes expected, 1 left"),
        (All, "78 05 6161", "All.text: truncated: 5 more bytes expected, 2 left"),
        (All, "78 ffffffff07", "All.text: truncated: 2147483647 more bytes expected, 0 left"),
        (All, "78 02 fffe", "All.text: invalid UTF-8 at byte 0 of 2"),
        (Point, "15 8080808080 00", "Point.x: a varint of more than 5 bytes"),
        (All, "34 8080808080 00", "All.small: a varint of more than 5 bytes"),
        (All, "56" + "80" * 10 + "00", "All.large: a varint of more than 10 bytes"),
        (Point, "15 ffffffff1f 00", "Point.x: -4294967296 is out of range of i32"),
        (Point, "15 8080808010 00", "Point.x: 2147483648 is out of range of i32"),
        (All, "34 808004 00", "All.small: 32768 is out of range of i16"),
        (All, "56" + "80" * 9 + "02 00", "All.large: 9223372036854775808 is out of range of i64"),
        (All, "78 ffffffff0f 00", "All.text: size 4294967295 is more than 2147483647"),
        (All, "0924 f8 8080808008 00", "All.names: size 2147483648 is more than 2147483647"),
        (All, "0924 f8 ffffffff07 00", "All.names: size 2147483647 is more than the 1 bytes left can hold"),
        (All, "0b20 ffffffff07 85 00", "All.counts: size 2147483647 is more than the 1 bytes left can hold"),
        (Point, "0e c601 00", "Point.99: unknown compact type 14"),
        (Point, "1f 00", "Point.x: unknown compact type 15"),
        (Point, "0a c601 10 00", "Point.99: unknown compact type 0"),
        (All, "0924 1e 00", "All.names: unknown compact type 14"),
        (All, "0b20 01 5f 00", "All.counts: unknown compact type 15"),
        (All, "0b20 01 f5 00", "All.counts: unknown compact type 15"),
        (All, "0924 15 00 00", "All.names: bad element type 8, expected 11 of list<string>"),
        (All, "0b20 01 88 00", "All.counts: bad element types 11:11, expected 11:8 of map<string,i32>"),
        (Point, "05 808004 00", "Point: 32768 is out of range of i16"),
        (Point, _STEP + "13 00", "Point: field id 32768 is out of range of i16"),
        (Many, "39 26 02 80", "Many.longs[1]: truncated: 1 more bytes expected, 0 left"),
        (Many, "49 27" + "00" * 15, "Many.doubles: size 2 is more than the 15 bytes left can hold"),
        (Many, "5b 02 81 01 61 01 01", "Many.map[key #1]: truncated: 1 more bytes expected, 0 left"),
        (Many, "5b 01 81 01 61", "Many.map['a']: truncated: 1 more bytes expected, 0 left"),
        (Many, "09 c601 2b 00 01", "Many.99: truncated: 1 more bytes expected, 0 left"),
        (Many, "09 c601 2d" + "00" * 31, "Many.99: size 2 is more than the 31 bytes left can hold"),
    ],
    ids=str,
)
def test_what_is_refused(compact: ModuleType, cls: Any, raw: str, message: str) -> None:
    assert refused(compact.decode_struct, cls, bytes.fromhex(raw)) == message


@pytest.mark.parametrize("type", range(1, 14))
def test_sizes_that_nothing_could_hold_cost_no_memory(compact: ModuleType, type: int) -> None:
    rest = bytes(1000)
    largest = b"\xff\xff\xff\xff\x07"
    for body in (
        b"\x09\x24" + bytes((0xF0 | type,)) + largest,
        b"\x0a\x22" + bytes((0xF0 | type,)) + largest,
        b"\x0b\x20" + largest + bytes((type << 4 | type,)),
        b"\x09\xc6\x01" + bytes((0xF0 | type,)) + largest,
        b"\x0b\xc6\x01" + largest + bytes((type << 4 | type,)),
        b"\x19\xf6" + largest,
        b"\x78" + largest,
        b"\x08\xc6\x01" + largest,
    ):
        refused(compact.decode_struct, All, body + rest)
        tracemalloc.start()
        try:
            refused(compact.decode_struct, All, body + rest)
            assert tracemalloc.get_traced_memory()[1] < 50_000
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize(("seqid", "raw"), [(0, "00"), (7, "07"), (300, "ac02"), (-1, "ffffffff0f")])
def test_headers(compact: ModuleType, seqid: int, raw: str) -> None:
    data = bytes.fromhex(f"8221{raw}03") + b"get"
    header = compact.read_header(b"...." + data + b"\0", 4)
    assert (header.name, header.kind, header.seqid, header.body) == ("get", wire.CALL, seqid, 4 + len(data))
    plan = method_plan(function("get", None))
    assert compact.encode_call(plan, seqid, [])[4:] == data + b"\0"
    assert compact.encode_result(plan, header, None)[4:6] == b"\x82\x41"
    assert compact.encode_error(header, 6, "a")[4:] == b"\x82\x61" + data[2:] + b"\x18\x01a\x15\x0c\0"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("", "truncated: 1 more bytes expected, 0 left"),
        ("82", "truncated: 1 more bytes expected, 0 left"),
        ("80010001", "protocol id 0x80 is not 0x82"),
        ("8222 00", "version 2 is not 1"),
        ("8221 8080808080 00", "a varint of more than 5 bytes"),
        ("8221 ffffffff1f 00", "8589934591 is out of range of u32"),
        ("8221 07 8102" + "61" * 257, "a method name of 257 bytes"),
        ("8221 07 ffffffff0f", "size 4294967295 is more than 2147483647"),
        ("8221 07 03 6765", "truncated: 3 more bytes expected, 2 left"),
        ("8221 07 02 fffe", "invalid UTF-8 at byte 0 of 2"),
    ],
    ids=str,
)
def test_headers_that_are_refused(compact: ModuleType, raw: str, message: str) -> None:
    assert refused(compact.read_header, bytes.fromhex(raw)) == f"bad message header: {message}"


@given(fields=st.lists(st.tuples(st.integers(1, 7), st.booleans()), max_size=12), rest=st.binary(max_size=5))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_fields_of_any_order_are_counted(fields: list[tuple[int, bool]], rest: bytes) -> None:
    body, last = b"", 0
    for id, fits in fields:
        type = 5 if fits else 1
        body += bytes((id - last << 4 | type,)) if id > last else bytes((type, id << 1))
        body += b"\x0e" if fits else b""
        last = id
    for codec in both_of("compact"):
        assert counts(codec, body + b"\0" + rest) == (*expected(fields), len(rest))


def test_thriftpy2_writes_and_reads_the_same(compact: ModuleType) -> None:
    """Its compact protocol has no uuid, and makes lists of sets."""
    thriftpy2 = pytest.importorskip("thriftpy2")
    from thriftpy2.protocol.compact import TCompactProtocol
    from thriftpy2.transport.memory import TMemoryBuffer

    text = """
        struct Point { 1: i32 x, 2: i32 y }
        struct Some {
            1: bool flag, 2: byte tiny, 3: i16 small, 4: i32 whole, 5: i64 large, 6: double real, 7: string text,
            20: Point point, 21: list<bool> flags, 22: map<string, Point> points, 60: bool far, 61: list<i64> longs
        }
    """
    theirs = thriftpy2.load_fp(io.StringIO(text), "compact_thrift")
    types = [model.BOOL, model.I8, model.I16, model.I32, model.I64, model.DOUBLE, model.STRING]
    types += [POINT, model.List(model.BOOL), model.Map(model.STRING, POINT), model.BOOL, model.List(model.I64)]
    ids = (*range(1, 8), 20, 21, 22, 60, 61)
    names = [theirs.Some.thrift_spec[id][1] for id in ids]
    some = class_of(struct("Some", *map(field, ids, names, types)))

    def filled(cls: Any, point: Any) -> Any:
        longs = [0, -1, 2**40, -(2**63), 2**63 - 1] * 4
        flags = [True, False] * 8
        return cls(True, -1, -300, 70_000, 2**50, 0.1, "Zürich", point(1, 2), flags, {"a": point(-1)}, False, longs)

    buffer = TMemoryBuffer()
    TCompactProtocol(buffer).write_struct(filled(theirs.Some, theirs.Point))
    raw = buffer.getvalue()
    assert compact.encode_struct(filled(some, Point)) == raw
    assert compact.decode_struct(some, raw) == filled(some, Point)
    back = theirs.Some()
    TCompactProtocol(TMemoryBuffer(raw)).read_struct(back)
    assert back == filled(theirs.Some, theirs.Point)
