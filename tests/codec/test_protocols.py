"""What all protocols have in common, whatever their bytes look like: values, errors and paths, limits, messages."""

from __future__ import annotations

import importlib
import tracemalloc
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.codec import strategies
from tests.codec.schemas import (
    ALL,
    NOT_FOUND,
    POINT,
    ROLE,
    SHAPE,
    STRICT,
    TREE,
    all_values,
    enum,
    field,
    function,
    struct,
)
from tests.codec.soak import damage, mutants, samples
from tests.codec.test_properties import outcome
from tests.codec.variants import both_of
from thriftserver import wire
from thriftserver.codec.plan import method_plan
from thriftserver.errors import ApplicationError, EncodeError, WireError
from thriftserver.schema import model
from thriftserver.schema.classes import class_of
from thriftserver.schema.frozen import FrozenMap

All, NotFound, Point, Shape, Strict, Tree = (class_of(each) for each in (ALL, NOT_FOUND, POINT, SHAPE, STRICT, TREE))
Twins = tuple[ModuleType, ModuleType]

GET = method_plan(
    function(
        "get",
        model.List(POINT),
        [field(2, "second", model.BOOL), field(1, "first", model.List(POINT)), field(300, "third", ROLE, default=7)],
        [field(1, "missing", NOT_FOUND), field(2, "shapeless", NOT_FOUND)],
    )
)
PING = method_plan(function("ping", None))
FIRE = method_plan(function("fire", None, [field(1, "id", model.I32, required=True)], oneway=True))

_calm = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def test_every_type_comes_back(any_codec: ModuleType) -> None:
    for cls, value in samples():
        back = any_codec.decode_struct(cls, any_codec.encode_struct(value))
        assert back == value
    assert {"k": {1, 2}} in list(any_codec.decode_struct(All, any_codec.encode_struct(all_values())).keyed)


@pytest.mark.parametrize("value", [float("nan"), -0.0, float("inf"), float("-inf"), 5e-324, 1.7976931348623157e308])
def test_doubles_keep_every_bit(twins: Twins, value: float) -> None:
    pure, native = twins
    raw = pure.encode_struct(All(real=value))
    assert native.encode_struct(All(real=value)) == raw
    for codec in twins:
        assert repr(codec.decode_struct(All, raw).real) == repr(value)


@pytest.mark.parametrize("bits", [0, 6, 7, 8, 13, 14, 15, 16, 20, 21, 27, 28, 30, 31, 32, 34, 35, 48, 56, 62, 63, 64])
def test_numbers_around_every_limit(twins: Twins, bits: int) -> None:
    numbers = struct("Numbers", *(field(id, name, kind) for id, name, kind in _INTEGERS))
    cls = class_of(numbers)
    for number in {sign * 2**bits + step for sign in (1, -1) for step in (-1, 0, 1)}:
        for _, name, _ in _INTEGERS:
            value = cls(**{name: [number] if name.endswith("s") else number})
            pure, native = (outcome(codec.encode_struct, value) for codec in twins)
            assert pure == native, (name, number)
            for codec in twins if pure[0] == "value" else ():
                assert codec.decode_struct(cls, pure[1]) == value


_INTEGERS: list[tuple[int, str, model.Type]] = [
    (1, "i8", model.I8),
    (2, "i16", model.I16),
    (3, "i32", model.I32),
    (4, "i64", model.I64),
    (5, "i8s", model.List(model.I8)),
    (6, "i16s", model.List(model.I16)),
    (7, "i32s", model.List(model.I32)),
    (8, "i64s", model.List(model.I64)),
    (9, "enums", model.List(enum("Sign", MINUS=-1, PLUS=1))),
]


@pytest.mark.parametrize("size", [0, 1, 13, 14, 15, 16, 126, 127, 128, 129, 2_000, 16_383, 16_384])
def test_sizes_around_every_limit(twins: Twins, size: int) -> None:
    values = [
        All(text="x" * size),
        All(text="x" * max(size - 1, 0) + "é"),
        All(data=bytes(size)),
        All(names=["n"] * size),
        All(numbers=set(range(size))),
        All(counts={str(number): number for number in range(size)}),
        All(by_point={Point(number): 1.0 for number in range(size)}),
    ]
    pure, native = twins
    for value in values:
        raw = pure.encode_struct(value)
        assert native.encode_struct(value) == raw
        for codec in twins:
            assert codec.decode_struct(All, raw) == value


@pytest.mark.parametrize("ids", [(-32768, -1, 0, 1), (1, 16, 17, 33), (15, 16, 32), (32767,), (-3, 32767), (200, 201)])
@pytest.mark.parametrize("type", [model.BOOL, model.I32, POINT], ids=["bool", "i32", "struct"])
def test_ids_of_every_distance(twins: Twins, ids: tuple[int, ...], type: Any) -> None:
    schema = struct("Far", *(field(id, f"f{index}", type) for index, id in enumerate(ids)))
    cls = class_of(schema)
    value = {"bool": lambda: True, "i32": lambda: 5}.get(type.name, lambda: Point(1, 2))()
    for chosen in ([value] * len(ids), [None] * (len(ids) - 1) + [value], [value] + [None] * (len(ids) - 1)):
        filled = cls(*chosen)
        pure, native = (codec.encode_struct(filled) for codec in twins)
        assert pure == native
        for codec in twins:
            assert codec.decode_struct(cls, pure) == filled


def test_bools_wherever_they_stand(twins: Twins) -> None:
    inner = struct(
        "Inner", field(1, "a", model.BOOL), field(2, "rest", model.List(model.BOOL)), field(3, "b", model.BOOL)
    )
    flags = struct(
        "Flags",
        field(1, "first", model.BOOL),
        field(2, "list", model.List(model.BOOL)),
        field(3, "set", model.Set(model.BOOL)),
        field(4, "map", model.Map(model.BOOL, model.BOOL)),
        field(5, "texts", model.Map(model.STRING, model.BOOL)),
        field(6, "inner", model.List(inner)),
        field(7, "keyed", model.Map(inner, model.BOOL)),
        field(8, "last", model.BOOL),
    )
    cls, part = class_of(flags), class_of(inner)
    value = cls(
        True,
        [True, False, True],
        {False},
        {True: False, False: True},
        {"a": True, "b": False},
        [part(False, [True], True), part(), part(b=False)],
        {part(True, (False,), False): True, part(): False},
        False,
    )
    pure, native = (codec.encode_struct(value) for codec in twins)
    assert pure == native
    for codec in twins:
        assert codec.decode_struct(cls, pure) == value
        assert codec.decode_struct(cls, codec.encode_struct(cls(1, [0, 1], last=0))) == cls(
            True, [False, True], last=False
        )
        with pytest.raises(EncodeError, match=r"Flags\.last: expected bool, got int 3"):
            codec.encode_struct(cls(first=True, last=3))


def test_keys_are_equal_when_their_bytes_are(twins: Twins) -> None:
    schema = struct(
        "Keys",
        field(1, "sets", model.Set(model.Set(model.BOOL))),
        field(2, "maps", model.Map(model.Map(model.STRING, model.BOOL), POINT)),
        field(3, "unions", model.Set(SHAPE)),
    )
    cls = class_of(schema)
    value = cls(
        {frozenset((True, False)), frozenset()},
        {FrozenMap({"b": True, "a": False}): Point(1), FrozenMap(): Point()},
        {Shape(label="x"), Shape(circle=1.0)},
    )
    twice = cls(
        [{True, False}, {False, True}, set()],
        {FrozenMap({"a": False, "b": True}): Point(1), FrozenMap(): Point()},
        [Shape(circle=1.0), Shape(label="x"), Shape(circle=1.0)],
    )
    for codec in twins:
        for each in (value, twice):
            assert codec.decode_struct(cls, codec.encode_struct(each)) == value
    pure, native = (codec.encode_struct(twice) for codec in twins)
    assert pure == native


# Errors.


def path_of(call: Any, *args: Any) -> str:
    """Where an error lies; what it says of the bytes is each protocol's own."""
    with pytest.raises((WireError, EncodeError)) as caught:
        call(*args)
    assert str(caught.value).startswith(f"{caught.value.path}: ")
    return caught.value.path


@given(data=st.data())
@_calm
def test_what_does_not_fit_is_the_same_error_as_in_the_binary_protocol(twins: Twins, data: st.DataObject) -> None:
    schema = data.draw(strategies.structs(strategies.types(), kind="struct"))
    value = data.draw(strategies.values(schema))
    for victim in schema.fields[:1]:
        setattr(value, victim.name, data.draw(st.sampled_from([object, [object], {1: object}, {"a": 2**70}, 2**70])))
    expected = outcome(both_of("binary")[0].encode_struct, value)
    for codec in twins:
        found = outcome(codec.encode_struct, value)
        assert found == expected or found[0] == expected[0] == "value"


@pytest.mark.parametrize(
    ("written", "read", "path"),
    [
        (struct("S"), STRICT, "Strict.id"),
        (struct("S", field(18, "f", model.List(model.I32))), ALL, "All.names"),
        (struct("S", field(16, "f", model.Map(model.STRING, model.STRING))), ALL, "All.counts"),
        (struct("S", field(15, "f", model.Map(model.I32, model.List(model.Set(model.I8))))), ALL, "All.nested[1][0]"),
        (struct("S", field(19, "f", struct("T", field(3, "g", model.List(model.BOOL))))), ALL, "All.shape.corners"),
    ],
)
def test_what_is_read_as_something_else(any_codec: ModuleType, written: model.Struct, read: Any, path: str) -> None:
    values: dict[str, Any] = {"names": [1], "counts": {"a": "b"}, "nested[1][0]": {1: [{1}]}}
    cls = class_of(written)
    name = path.partition(".")[2]
    value = cls() if name == "id" else cls(values.get(name))
    if name == "shape.corners":
        value = cls(class_of(written.fields[0].type)([True]))
    assert path_of(any_codec.decode_struct, class_of(read), any_codec.encode_struct(value)) == path


@pytest.mark.parametrize("limit", [1, 3, 64])
def test_depth_is_limited_in_reading_writing_and_skipping(any_codec: ModuleType, limit: int) -> None:
    node = importlib.import_module(any_codec.__name__.replace("message", "node"))
    stranger = class_of(struct("Stranger", field(99, "inside", TREE)))
    try:
        node.set_max_depth(200)
        whole = deep = Tree(1)
        for level in range(limit):
            whole, deep = deep, Tree(level, deep) if level % 2 else Tree(level, None, None, {"x": deep})
            deep = Tree(level, whole)
        fits, too_deep, inside = (any_codec.encode_struct(each) for each in (whole, deep, stranger(whole)))
        node.set_max_depth(limit)
        assert any_codec.decode_struct(Tree, fits) == whole
        assert any_codec.encode_struct(whole) == fits
        for call, *args in (
            (any_codec.decode_struct, Tree, too_deep),
            (any_codec.decode_struct, Point, inside),
            (any_codec.encode_struct, deep),
        ):
            with pytest.raises((WireError, EncodeError), match=f"nested deeper than {limit} levels"):
                call(*args)
    finally:
        node.set_max_depth(wire.MAX_DEPTH)


# What versioning forgives.


@given(data=st.data())
@_calm
def test_unknown_fields_are_passed_over_and_counted(twins: Twins, data: st.DataObject) -> None:
    """A newer peer's arguments, of any type, between those we know."""
    news = data.draw(st.lists(strategies.types(), min_size=1, max_size=4))
    known = [field(20, "whole", model.I32), field(10, "flag", model.BOOL), field(30, "point", POINT)]
    ids = data.draw(
        st.lists(st.integers(1, 40).filter(lambda id: id % 10), min_size=len(news), max_size=len(news), unique=True)
    )
    newer = [field(id, f"new{index}", type) for index, (id, type) in enumerate(zip(ids, news, strict=True))]
    plan = method_plan(function("f", None, known))
    args = [7, True, Point(1, 2), *(data.draw(st.none() | strategies.values(each.type)) for each in newer)]
    counted = sum(arg is not None for arg in args[3:])
    for codec in twins:
        frame = codec.encode_call(method_plan(function("f", None, [*known, *newer])), 1, args)
        tally = codec.new_tally()
        assert codec.decode_args(plan, frame + b"xyz", codec.read_header(frame, 4).body, tally) == args[:3]
        assert (tally.skipped, tally.repeated, tally.misordered, tally.trailing) == (counted, 0, 0, 3)


def test_every_type_is_passed_over(any_codec: ModuleType) -> None:
    """Under ids that nobody knows, and under one that is known with another type."""
    for each in ALL.fields:
        value = getattr(all_values(), each.name)
        known = field(50, "text", model.I16 if each.type in (model.STRING, model.BINARY) else model.STRING)
        for id in (40, 50, 60):
            writer = struct("Writer", field(id, "odd", each.type), field(55, "after", model.BOOL))
            reader = class_of(struct("Reader", known, field(55, "after", model.BOOL)))
            raw = any_codec.encode_struct(class_of(writer)(value, True))
            assert any_codec.decode_struct(reader, raw) == reader(None, True), each.name


def test_a_union_of_which_only_a_newer_peer_knows_the_member(any_codec: ModuleType) -> None:
    newer = struct("Shape", field(9, "flag", model.BOOL), kind="union")
    assert any_codec.decode_struct(Shape, any_codec.encode_struct(class_of(newer)(flag=True))) == Shape()


def test_exceptions_keep_their_fields(any_codec: ModuleType) -> None:
    back = any_codec.decode_struct(NotFound, any_codec.encode_struct(NotFound("gone", hints=["a"])))
    assert (back.message, back.code, back.hints) == ("gone", 404, ["a"])


# Hostile bytes.


def test_damaged_bytes_cost_no_more_memory_than_they_could_hold(any_codec: ModuleType) -> None:
    for cls, damaged in mutants(any_codec, 5, 300):
        outcome(any_codec.decode_struct, cls, damaged)
    tracemalloc.start()
    try:
        for cls, damaged in mutants(any_codec, 5, 300):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            outcome(any_codec.decode_struct, cls, damaged)
            assert tracemalloc.get_traced_memory()[1] - before < 300_000, damaged.hex()
    finally:
        tracemalloc.stop()


@given(data=st.data())
@_calm
def test_damaged_messages_are_the_same_to_both(twins: Twins, data: st.DataObject) -> None:
    pure, native = twins
    dice = data.draw(st.randoms(use_true_random=False))
    frame = damage(dice, pure.encode_call(GET, data.draw(st.integers(-9, 9)), [True, [Point(1, 2), Point()], 7])[4:])

    def read(codec: ModuleType) -> Any:
        header = codec.read_header(frame)
        tally = codec.new_tally()
        args = codec.decode_args(GET, frame, header.body, tally)
        return repr((header, args, tally.skipped, tally.repeated, tally.misordered, tally.trailing))

    assert outcome(read, pure) == outcome(read, native)


# Messages.


@pytest.mark.parametrize("seqid", [0, 1, -1, 127, 128, 2**31 - 1, -(2**31)])
@pytest.mark.parametrize("name", [None, "Service:get", "n" * 256, "Zürich"])
def test_calls_come_in_as_they_went_out(twins: Twins, seqid: int, name: str | None) -> None:
    args = [True, [Point(1, 2)], 7]
    pure, native = (codec.encode_call(GET, seqid, args, name) for codec in twins)
    assert pure == native
    assert int.from_bytes(pure[:4], "big") == len(pure) - 4
    for codec in twins:
        for data in (pure, bytearray(pure), memoryview(pure)):
            header = codec.read_header(data, 4)
            assert (header.name, header.kind, header.seqid) == (name or "get", wire.CALL, seqid)
            assert codec.decode_args(GET, data, header.body) == args


def test_oneway_calls_and_absent_arguments(any_codec: ModuleType) -> None:
    header = any_codec.read_header(any_codec.encode_call(FIRE, 3, [1]), 4)
    assert (header.name, header.kind) == ("fire", wire.ONEWAY)
    empty = any_codec.encode_call(PING, 3, [])
    body = any_codec.read_header(empty, 4).body
    assert any_codec.decode_args(GET, empty, body) == [None, None, 7]
    assert path_of(any_codec.decode_args, FIRE, empty, body) == "args.id"
    with pytest.raises(EncodeError, match="takes 1 arguments, got 2"):
        any_codec.encode_call(FIRE, 1, [1, 2])


def test_replies(any_codec: ModuleType) -> None:
    call = any_codec.new_header("get", wire.CALL, -5)
    for frame, kind in (
        (any_codec.encode_result(GET, call, [Point(1)]), wire.REPLY),
        (any_codec.encode_declared(GET, call, 1, NotFound("gone")), wire.REPLY),
        (any_codec.encode_error(call, 6, "broken \udc80"), wire.EXCEPTION),
    ):
        header = any_codec.read_header(frame, 4)
        assert int.from_bytes(frame[:4], "big") == len(frame) - 4
        assert (header.name, header.kind, header.seqid) == ("get", kind, -5)
        told = []
        try:
            told.append(any_codec.decode_reply(GET, frame, header))
        except NotFound as error:
            told.append(error.message)
        except ApplicationError as error:
            told.append((error.type, error.message))
        assert told in ([[Point(1)]], ["gone"], [(6, "broken \\udc80")])
    frame = any_codec.encode_result(PING, call, "ignored")
    assert any_codec.decode_reply(PING, frame, any_codec.read_header(frame, 4)) is None
    with pytest.raises(ApplicationError) as caught:
        any_codec.decode_reply(GET, frame, any_codec.read_header(frame, 4))
    assert caught.value.type == wire.Application.MISSING_RESULT
    call = any_codec.encode_call(PING, 1, [])
    with pytest.raises(WireError, match="message kind 1 is no reply"):
        any_codec.decode_reply(PING, call, any_codec.read_header(call, 4))


@pytest.mark.parametrize("what", ["args", "result"])
def test_paths_in_messages(any_codec: ModuleType, what: str) -> None:
    call = any_codec.new_header("get", wire.CALL, 1)
    if what == "args":
        assert path_of(any_codec.encode_call, GET, 1, [True, [Point("x")], 7]) == "args.first[0].x"
    else:
        assert path_of(any_codec.encode_result, GET, call, [Point(), Point(y="x")]) == "result[1].y"
        assert path_of(any_codec.encode_declared, GET, call, 0, NotFound(5)).startswith("result")


def test_names_that_are_too_long_or_no_text(any_codec: ModuleType) -> None:
    frame = any_codec.encode_call(PING, 1, [], "n" * 257)
    with pytest.raises(WireError, match="bad message header: a method name of 257 bytes"):
        any_codec.read_header(frame, 4)
    with pytest.raises(EncodeError, match="a method's name cannot be"):
        any_codec.encode_call(PING, 1, [], "\ud800")
