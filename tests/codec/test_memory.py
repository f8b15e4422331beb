"""No reference is lost or leaked, on good paths and bad ones; refused sizes cost no memory."""

from __future__ import annotations

import contextlib
import gc
import struct
import sys
import tracemalloc
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from tests.codec.schemas import ALL, NOT_FOUND, POINT, SHAPE, TREE, all_values, field, function
from thriftserver.codec.plan import method_plan
from thriftserver.errors import EncodeError, WireError
from thriftserver.schema import model
from thriftserver.schema.classes import class_of


def _quiet(call: Callable[..., Any], *args: Any) -> None:
    with contextlib.suppress(WireError, EncodeError):
        call(*args)


def _growth(work: Callable[[], None], rounds: int) -> int:
    """Bytes that ``rounds`` rounds leave behind, once caches are warm."""
    for _ in range(50):
        work()
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(rounds):
            work()
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


def _work(codec: ModuleType) -> Callable[[], None]:
    value = all_values()
    cls = class_of(ALL)
    raw = codec.encode_struct(value)
    tree, point = class_of(TREE), class_of(POINT)
    wrong = [
        cls(whole="x"),
        cls(names=["a", 5]),
        cls(by_point={point(1): "x"}),
        cls(shape=class_of(SHAPE)()),
        tree(1, tree("x")),
    ]
    damaged = [raw[:-5], raw[:100], raw.replace("Zürich".encode(), b"\xff" * 7), b"\x0f\0\x12\x0b\x7f\xff\xff\xff"]
    plan = method_plan(
        function("get", ALL, [field(1, "a", ALL), field(2, "b", model.I32)], [field(1, "nf", NOT_FOUND)])
    )
    error = class_of(NOT_FOUND)("gone")

    def work() -> None:
        assert codec.decode_struct(cls, raw) == value
        codec.encode_struct(value)
        for bad in wrong:
            _quiet(codec.encode_struct, bad)
        for data in damaged:
            _quiet(codec.decode_struct, cls, data)
        call = codec.encode_call(plan, 1, [value, 5])
        header = codec.read_header(call, 4)
        codec.decode_args(plan, call, header.body)
        reply = codec.encode_result(plan, header, value)
        codec.decode_reply(plan, reply, codec.read_header(reply, 4))
        reply = codec.encode_declared(plan, header, 0, error)
        with pytest.raises(class_of(NOT_FOUND)):
            codec.decode_reply(plan, reply, codec.read_header(reply, 4))

    return work


def test_nothing_is_left_behind(codec: ModuleType) -> None:
    assert _growth(_work(codec), 1_000) < 40_000  # not even one small object a round


def test_shared_objects_keep_their_reference_count(codec: ModuleType) -> None:
    work = _work(codec)
    work()
    watched = [None, True, class_of(ALL), class_of(POINT), class_of(TREE), class_of(NOT_FOUND), ALL]
    gc.collect()
    before = [sys.getrefcount(each) for each in watched]
    for _ in range(200):
        work()
    gc.collect()
    for each, count in zip(watched, before, strict=True):
        assert abs(sys.getrefcount(each) - count) < 100, each


@pytest.mark.slow
def test_nothing_is_left_behind_in_the_long_run(codec: ModuleType) -> None:
    assert _growth(_work(codec), 15_000 if codec.__name__.endswith("._message") else 5_000) < 60_000


@pytest.mark.parametrize("id", [18, 17, 16, 8])
def test_a_huge_size_is_refused_without_allocating(codec: ModuleType, id: int) -> None:
    wire_type = {18: b"\x0f", 17: b"\x0e", 16: b"\x0d", 8: b"\x0b"}[id]
    inner = {18: b"\x0b", 17: b"\x0a", 16: b"\x0b\x08", 8: b""}[id]
    raw = wire_type + struct.pack(">h", id) + inner + struct.pack(">i", 2**31 - 1) + bytes(1000)
    tracemalloc.start()
    with pytest.raises(WireError):
        codec.decode_struct(class_of(ALL), raw)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 * len(raw) + 5_000


def test_decoded_structs_are_shown_to_the_collector(codec: ModuleType) -> None:
    tree = class_of(TREE)
    made = codec.decode_struct(tree, codec.encode_struct(tree(1, tree(2))))
    assert gc.is_tracked(made)  # it holds a struct that could lead back to it
    made.left.left = made  # a cycle that only the collector can end
    del made
    gc.collect()
    assert sum(type(each) is tree for each in gc.get_objects()) == 0
