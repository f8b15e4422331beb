"""What is no text of the JSON protocol: what is said of it and where, and what it costs."""

from __future__ import annotations

import tracemalloc
from types import ModuleType
from typing import Any

import pytest

from tests.codec.schemas import all_values
from tests.codec.test_properties import outcome
from tests.codec.tjson.texts import ECHO, All, Point, Strict, Tree, of
from thriftserver.errors import EncodeError, WireError

HEADERS = {
    b"": "expected '[' at byte 0, got the end of the data",
    b"\x80\x01\0\1": "expected '[' at byte 0, got byte 0x80",
    b'{"1":1}': "expected '[' at byte 0, got '{'",
    b'[2,"a",1,0,{}]': "version 2 is not 1",
    b'["1","a",1,0,{}]': "expected an integer at byte 1, got '\"'",
    b"[1,5": "expected '\"' at byte 3, got '5'",
    b'[1,"' + b"a" * 257 + b'",1,0,{}]': "a method name of 257 bytes",
    b'[1,"' + b"\\u00e9" * 129 + b'",1,0,{}]': "a method name of 258 bytes",
    b'[1,"' + b"a" * 9999 + b'",1,0,{}]': "a method name of 9999 bytes",
    b'[1,"\xff",1,0,{}]': "invalid UTF-8 at byte 0 of 1",
    b'[1,"abc': "the string at byte 3 has no end",
    b'[1,"a",128,0,{}]': "128 is out of range of i8",
    b'[1,"a",1,2147483648,{}]': "2147483648 is out of range of i32",
    b'[1,"a",1,0]': "expected ',' at byte 10, got ']'",
}


@pytest.mark.parametrize("data", HEADERS, ids=range(len(HEADERS)))
def test_bad_headers(codec: ModuleType, data: bytes) -> None:
    with pytest.raises(WireError) as caught:
        codec.read_header(data)
    assert str(caught.value) == f"bad message header: {HEADERS[data]}"


def test_the_longest_name(codec: ModuleType) -> None:
    assert codec.read_header(b'[1,"' + b"\\u00e9" * 128 + b'",1,0,{').name == "é" * 128


def test_a_message_has_to_end(codec: ModuleType) -> None:
    data = b'[1,"echo",1,0,{},5]'
    with pytest.raises(WireError, match=r"args: expected ']' at byte 16, got ','"):
        codec.decode_args(ECHO, data, codec.read_header(data).body)


#: Field, its type and text, and what is said of it; the text begins at byte 12 or, after a longer id or name, 13.
NUMBERS = [
    ("whole", "i32:x", "whole: expected an integer at byte 12, got 'x'"),
    ("whole", "i32:+1", "whole: expected an integer at byte 12, got '+'"),
    ("whole", "i32:-", "whole: expected an integer at byte 12, got '-'"),
    ("whole", "i32:1.0", "whole: expected an integer at byte 12, got a fraction or an exponent"),
    ("whole", "i32:1e3", "whole: expected an integer at byte 12, got a fraction or an exponent"),
    ("whole", 'i32:"1"', "whole: expected an integer at byte 12, got '\"'"),
    ("whole", "i32:true", "whole: expected an integer at byte 12, got 't'"),
    ("whole", "i32:2147483648", "whole: 2147483648 is out of range of i32"),
    ("tiny", "i8:-129", "tiny: -129 is out of range of i8"),
    ("small", "i16:32768", "small: 32768 is out of range of i16"),
    ("large", "i64:9223372036854775808", "large: 9223372036854775808 is out of range of i64"),
    ("large", "i64:-9223372036854775809", "large: -9223372036854775809 is out of range of i64"),
    ("large", "i64:" + "9" * 20_000, "large: a number of 20000 characters is out of range of i64"),
    ("flag", "tf:true", "flag: expected an integer at byte 11, got 't'"),
    ("real", "dbl:.5", "real: expected a number at byte 12, got '.'"),
    ("real", "dbl:1.", "real: expected '}' at byte 13, got '.'"),
    ("real", "dbl:1e", "real: expected '}' at byte 13, got 'e'"),
    ("real", 'dbl:"nan"', "real: expected a number at byte 12, got 'nan'"),
    ("real", 'dbl:"1x"', "real: expected a number at byte 12, got '1x'"),
    ("real", "dbl:1e999", "real: 1e999 is out of range of double"),
    ("real", 'dbl:"-1e999"', "real: -1e999 is out of range of double"),
    ("real", "dbl:0." + "1" * 9_998, "real: a number of 10000 characters is out of range of double"),
]
STRINGS = [
    ("text", "str:5", "text: expected '\"' at byte 12, got '5'"),
    ("text", "str:null", "text: expected '\"' at byte 12, got 'n'"),
    ("text", 'str:"a\\"', "text: the string at byte 12 has no end"),
    ("text", 'str:"a\\x"', "text: bad escape at byte 14"),
    ("text", 'str:"\\u12g4"', "text: bad escape at byte 13"),
    ("text", 'str:"ab\\ud83d"', "text: a lone surrogate at byte 15"),
    ("text", 'str:"\\ud83d\\u0041"', "text: a lone surrogate at byte 13"),
    ("text", 'str:"\\ud83dx\\ude00"', "text: a lone surrogate at byte 13"),
    ("text", 'str:"\\ude00\\ud83d"', "text: a lone surrogate at byte 13"),
    ("text", b'str:"ab\xc3"', "text: invalid UTF-8 at byte 2 of 3"),
    ("text", b'str:"\\n\xed\xa0\x80"', "text: invalid UTF-8 at byte 1 of 4"),
    ("data", 'str:"A"', "data: invalid base64 at character 1 of 1"),
    ("data", 'str:"AA="', "data: invalid base64 at character 2 of 3"),
    ("data", 'str:"AA=A"', "data: invalid base64 at character 2 of 4"),
    ("data", 'str:"AAA-"', "data: invalid base64 at character 3 of 4"),
    ("data", 'str:"AAAA===="', "data: invalid base64 at character 4 of 8"),
    ("mark", 'uid:"12"', "mark: expected a uuid at byte 12, got '12'"),
    ("mark", f'uid:"{"g" * 36}"', f"mark: expected a uuid at byte 12, got '{'g' * 36}'"),
]
AROUND = [
    ("names", 'lst:["xyz",0]', "names: unknown type 'xyz' at byte 14"),
    ("names", 'lst:["i32",1,555555]', "names: bad element type 8, expected 11 of list<string>"),
    ("names", 'lst:["str",-1]', "names: negative size -1"),
    ("names", 'lst:["str",2,"a"]', "names[1]: expected ',' at byte 25, got ']'"),
    ("names", 'lst:["str",1,"a","b"]', "names: expected ']' at byte 25, got ','"),
    ("names", 'lst:["str",1,]', "names[0]: expected '\"' at byte 22, got ']'"),
    ("names", "lst:{}", "names: expected '[' at byte 13, got '{'"),
    ("counts", 'map:["str","i32",1,{"a",1}]', "counts['a']: expected ':' at byte 32, got ','"),
    ("counts", 'map:["str","i32",2,{"a":1}   ]', "counts[key #1]: expected ',' at byte 34, got '}'"),
    ("counts", 'map:["str","i32",0,{"a":1}]', "counts: expected '}' at byte 29, got '\"'"),
    ("counts", 'map:["str","i32",0,[]]', "counts: expected '{' at byte 28, got '['"),
    ("nested", 'map:["i32","lst",1,{5:["set",0]}]', "nested[key #0]: expected '\"' at byte 29, got '5'"),
    ("nested", 'map:["i32","lst",1,{"5 ":["set",0]}]', "nested[key #0]: expected '\"' at byte 31, got ' '"),
    ("point", "rec:[]", "point: expected '{' at byte 13, got '['"),
    ("point", 'rec:{"1":{"i32":1},}', "point: expected '\"' at byte 28, got '}'"),
    ("point", 'rec:{"1":5}', "point: expected '{' at byte 18, got '5'"),
    ("point", 'rec:{"x":{}}', "point: expected an integer at byte 15, got 'x'"),
    ("point", 'rec:{"32768":{"i32":1}}', "point: 32768 is out of range of i16"),
    ("point", 'rec:{"1":{"i32":1,"i32":2}}', "point.x: expected '}' at byte 26, got ','"),
]


@pytest.mark.parametrize(("name", "text", "message"), [*NUMBERS, *STRINGS, *AROUND])
def test_faults(codec: ModuleType, name: str, text: str | bytes, message: str) -> None:
    with pytest.raises(WireError) as caught:
        codec.decode_struct(All, of(name, text))
    assert str(caught.value) == f"All.{message}"


def test_what_cannot_be_skipped(codec: ModuleType) -> None:
    for value, message in (
        ('{"tf":1]', "expected '}' at byte 13, got ']'"),
        ('{"lst":["rec",1,[]]}', "expected '{' at byte 22, got '['"),
        ('{"str":"', "the string at byte 13 has no end"),
        ('{"abc":1}', "unknown type 'abc' at byte 7"),
    ):
        with pytest.raises(WireError) as caught:
            codec.decode_struct(Strict, b'{"99":%b}' % value.encode())
        assert str(caught.value).endswith(message)


_SMALLEST = ["tf:0", "i8:0", "dbl:0", 'str:""', "rec:{}", 'lst:["tf",0]', 'map:["tf","tf",0,{}]']


@pytest.mark.parametrize("smallest", _SMALLEST)
def test_the_smallest_values_fit_and_too_many_cost_nothing(codec: ModuleType, smallest: str) -> None:
    name, _, text = smallest.partition(":")
    key = text if text[0] in '["{' else f'"{text}"'
    huge = 2**31 - 1
    for items in (3, 300):
        values = ",".join([text] * items)
        pairs = ",".join([f"{key}:{text}"] * items)
        for value in (f'{{"lst":["{name}",{items},{values}]}}', f'{{"map":["{name}","{name}",{items},{{{pairs}}}]}}'):
            assert codec.decode_struct(Point, f'{{"9":{value}}}'.encode()) == Point()
    tracemalloc.start()
    for value in (f'{{"lst":["{name}",{huge},{text}]}}', f'{{"map":["{name}","str",{huge},{{}}]}}'):
        with pytest.raises(WireError, match=f"size {huge} is more than the"):
            codec.decode_struct(Point, f'{{"9":{value}}}'.encode())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500_000


def test_sizes_that_lie_allocate_nothing(codec: ModuleType) -> None:
    tracemalloc.start()
    for name, text in (("names", 'lst:["str",2147483647,""]'), ("counts", 'map:["str","i32",2147483647,{}]')):
        with pytest.raises(WireError, match="size 2147483647 is more than the"):
            codec.decode_struct(All, of(name, text))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 500_000


def test_depth_is_limited(codec: ModuleType) -> None:
    for id in (2, 9):
        inner = b'{"%d":{"rec":' % id
        assert codec.decode_struct(Tree, inner * 63 + b"{}" + b"}}" * 63) is not None
        with pytest.raises(WireError, match="nested deeper than 64 levels"):
            codec.decode_struct(Tree, inner * 5_000)


def test_every_prefix_is_refused(codec: ModuleType) -> None:
    raw = codec.encode_struct(all_values())
    for end in range(len(raw)):
        with pytest.raises(WireError):
            codec.decode_struct(All, raw[:end])


@pytest.mark.parametrize("value", [{"text": "\ud800"}, {"data": "x"}, {"real": True}, {"tiny": 128}, {"large": 2**63}])
def test_values_that_do_not_fit(both: tuple[ModuleType, ModuleType], value: dict[str, Any]) -> None:
    told = [outcome(codec.encode_struct, All(**value)) for codec in both]
    assert told[0] == told[1]
    assert told[0][0] == EncodeError.__name__
