"""The JSON protocol's texts, letter by letter, and what is read besides them."""

from __future__ import annotations

import json
import random
import uuid
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.codec import strategies
from tests.codec.schemas import POINT, field, function, struct
from tests.codec.soak import samples
from tests.codec.test_properties import outcome, same
from tests.codec.tjson.texts import CALM, ECHO, TOKENS, All, Point, Strict, damaged, of
from thriftserver import wire
from thriftserver.codec.plan import method_plan
from thriftserver.errors import ApplicationError
from thriftserver.schema import model
from thriftserver.schema.classes import class_of
from thriftserver.schema.frozen import FrozenMap

GOLDEN: dict[str, tuple[Any, str]] = {
    "flag": (True, "tf:1"),
    "tiny": (-128, "i8:-128"),
    "large": (-(2**63), "i64:-9223372036854775808"),
    "real": (0.1, "dbl:0.1"),
    "text": ('"\\/\b\f\n\r\t\x01\x1f\x7f é😀', 'str:"\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f é😀"'),
    "data": (b"\xfb\xff\xfe!", 'str:"+//+IQ=="'),
    "mark": (uuid.UUID(int=10 << 120 | 1), 'uid:"0a000000-0000-0000-0000-000000000001"'),
    "role": (99, "i32:99"),
    "names": ([], 'lst:["str",0]'),
    "numbers": ({7}, 'set:["i64",1,7]'),
    "counts": ({"a": 1, ",": -2}, 'map:["str","i32",2,{"a":1,",":-2}]'),
    "nested": (
        {-5: [{"x"}, set()], 2: []},
        'map:["i32","lst",2,{"-5":["set",2,["str",1,"x"],["str",0]],"2":["set",0]}]',
    ),
    "by_point": ({Point(1): 1.5, Point(): 2.0}, 'map:["rec","dbl",2,{{"1":{"i32":1}}:1.5,{}:2.0}]'),
    "by_list": (
        {(1, 2): {True: b""}, (): {}},
        'map:["lst","map",2,{["i32",2,1,2]:["tf","str",1,{"1":""}],["i32",0]:["tf","str",0,{}]}]',
    ),
    "keyed": ({FrozenMap({"k": frozenset({2, 1})})}, 'set:["map",1,["str","set",1,{"k":["i8",2,1,2]}]]'),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_texts(codec: ModuleType, name: str) -> None:
    value, text = GOLDEN[name]
    assert codec.encode_struct(All(**{name: value})) == of(name, text)
    assert getattr(codec.decode_struct(All, of(name, text)), name) == value


def test_messages(codec: ModuleType) -> None:
    put = method_plan(function("put", POINT, [field(1, "p", POINT), field(2, "n", model.I32)]))
    frame = codec.encode_call(put, -7, [Point(1, 2), 3], 'svc:p"')
    assert frame[4:] == b'[1,"svc:p\\"",1,-7,{"1":{"rec":{"1":{"i32":1},"2":{"i32":2}}},"2":{"i32":3}}]'
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    header = codec.read_header(frame, 4)
    assert (header.name, header.kind, header.seqid) == ('svc:p"', wire.CALL, -7)
    tally = codec.new_tally()
    assert codec.decode_args(put, frame + b" ]x", header.body, tally) == [Point(1, 2), 3]
    assert tally.trailing == 3
    assert codec.encode_result(put, header, Point())[4:] == b'[1,"svc:p\\"",2,-7,{"0":{"rec":{}}}]'
    assert codec.encode_call(method_plan(function("ping", None)), 0, [])[4:] == b'[1,"ping",1,0,{}]'
    spaced = b' [ 1 , "put" , 2 , 5 , { "0" : { "rec" : { } } } ] '
    assert codec.decode_reply(put, spaced, codec.read_header(spaced)) == Point()


def test_what_went_wrong_is_told_in_plain_text(codec: ModuleType) -> None:
    frame = codec.encode_error(codec.new_header("echo", wire.CALL, 1), 6, 'a "text" \udc80')
    data = b'[1,"echo",3,1,{"1":{"str":"a \\"text\\" \\\\udc80"},"2":{"i32":6}}]'
    assert frame[4:] == data
    for told, text in ((data, 'a "text" \\udc80'), (data.replace(b"text", b"t\xff"), 'a "t\ufffd" \\udc80')):
        with pytest.raises(ApplicationError) as caught:
            codec.decode_reply(ECHO, told, codec.read_header(told))
        assert (caught.value.type, caught.value.message) == (6, text)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("flag", "tf:17", True),
        ("whole", "i32:-0", 0),
        ("real", "dbl:5", 5.0),
        ("real", "dbl:-0", -0.0),
        ("real", 'dbl:"2.50E+1"', 25.0),
        ("real", "dbl:0.1000000000000000055511151231257827", 0.1),
        ("real", "dbl:9007199254740993", 9007199254740992.0),
        ("real", "dbl:179769313486231570000e288", 1.7976931348623157e308),
        ("real", "dbl:1e-400", 0.0),
        ("real", 'dbl:"-Infinity"', float("-inf")),
        ("text", 'str:"\\u20AC\\/\\ud83d\\ude00\\u0000"', "€/😀\0"),
        ("text", b'str:"\0\n\x7f"', "\0\n\x7f"),
        ("data", 'str:"+//+IQ"', b"\xfb\xff\xfe!"),
        ("data", 'str:"+\\/\\u002f+IQ=="', b"\xfb\xff\xfe!"),
        ("mark", 'uid:"0A000000-0000-0000-0000-000000000001"', uuid.UUID(int=10 << 120 | 1)),
        ("names", '\\u006cst:["s\\u0074r",0]', []),
    ],
)
def test_other_ways_to_write_it(codec: ModuleType, name: str, text: str | bytes, value: Any) -> None:
    found = getattr(codec.decode_struct(All, of(name, text)), name)
    assert (found, repr(found)) == (value, repr(value))


def test_what_is_unknown_is_skipped(codec: ModuleType) -> None:
    for cls, value in samples():
        raw = codec.encode_struct(value)
        assert codec.decode_struct(Strict, b'{"99":{"rec":' + raw + b'},"1":{"i32":5}}more') == Strict(5), cls


@given(text=st.text(st.characters(exclude_categories=("Cs",))))
@CALM
def test_any_text_is_valid_json_and_back(both: tuple[ModuleType, ModuleType], text: str) -> None:
    for codec in both:
        raw = codec.encode_struct(All(text=text))
        assert json.loads(raw)["7"]["str"] == text
        for ascii_only in (True, False):
            data = of("text", f"str:{json.dumps(text, ensure_ascii=ascii_only)}")
            assert codec.decode_struct(All, data).text == text


_Doubles = class_of(struct("Doubles", field(1, "map", model.Map(model.DOUBLE, model.DOUBLE))))
_ODD = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


@given(number=st.floats() | st.integers(-(2**70), 2**70).map(float), key=st.floats(allow_nan=False))
@CALM
def test_any_double_keeps_its_bits(both: tuple[ModuleType, ModuleType], number: float, key: float) -> None:
    for codec in both:
        raw = codec.encode_struct(_Doubles({key: number}))
        ((name, value),) = codec.decode_struct(_Doubles, raw).map.items()
        assert (repr(name), repr(value)) == (repr(key), repr(number))
        text = json.dumps(number) if repr(number) not in _ODD else f'"{_ODD[repr(number)]}"'
        key_text = _ODD.get(repr(key), repr(key))
        assert raw.decode() == f'{{"1":{{"map":["dbl","dbl",1,{{"{key_text}":{text}}}]}}}}'


@given(digits=st.from_regex(r"\A-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?(e[-+]?[0-9]{1,2})?\Z"))
@CALM
def test_any_number_is_what_python_makes_of_it(both: tuple[ModuleType, ModuleType], digits: str) -> None:
    for codec in both:
        assert repr(codec.decode_struct(All, of("real", f"dbl:{digits}")).real) == repr(float(digits))


@given(data=st.data(), seed=st.integers(0, 2**32))
@CALM
def test_both_forms_agree_on_all_values_and_damaged_texts(
    both: tuple[ModuleType, ModuleType], data: st.DataObject, seed: int
) -> None:
    pure, native = both
    schema = data.draw(strategies.structs(strategies.types()))
    value = data.draw(strategies.values(schema))
    dice = random.Random(seed)
    raw = pure.encode_struct(value)
    assert native.encode_struct(value) == raw
    spaced = b"".join(dice.choice((b"", b" ", b"\r\n", b"\t  ")) + token for token in TOKENS.findall(raw))
    for codec in both:
        assert codec.decode_struct(class_of(schema), raw) == codec.decode_struct(class_of(schema), spaced) == value
    for _ in range(10):
        mutant = damaged(dice, raw)
        assert same(*(outcome(codec.decode_struct, class_of(schema), mutant) for codec in both)), mutant


def test_both_forms_agree_on_damaged_samples(both: tuple[ModuleType, ModuleType]) -> None:
    dice = random.Random(5)
    whole = [(cls, both[0].encode_struct(value)) for cls, value in samples()]
    decoded = 0
    for _ in range(4_000):
        cls, raw = dice.choice(whole)
        mutant = damaged(dice, raw)
        pure, native = (outcome(codec.decode_struct, cls, mutant) for codec in both)
        assert same(pure, native), mutant
        decoded += pure[0] == "value"
    assert 0 < decoded < 4_000


def test_texts_around_the_ends_of_memory(both: tuple[ModuleType, ModuleType]) -> None:
    pure, native = both
    headers = [codec.new_header("echo", wire.CALL, 7) for codec in both]
    for size in (*range(40), *range(900, 1030, 3), *range(16_280, 16_400, 3)):
        for letter in ("x", "é", "\x01"):
            value = All(text=letter * size, data=b"d" * size, counts={letter * size: size}, by_list={(size,): {}})
            frame = pure.encode_result(ECHO, headers[0], value)
            assert native.encode_result(ECHO, headers[1], value) == frame
            assert native.decode_reply(ECHO, frame, native.read_header(frame, 4)) == value
