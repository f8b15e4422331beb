"""What must hold in every protocol for every schema, every value and every sequence of bytes."""

from __future__ import annotations

import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.codec import strategies
from tests.codec.schemas import ALL, all_values
from tests.codec.soak import mutants, survive
from tests.codec.variants import codec_of
from tests.support import ROOT
from thriftserver.compiled import PROTOCOLS
from thriftserver.errors import EncodeError, WireError
from thriftserver.schema.classes import class_of

_calm = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


def outcome(call: Any, *args: Any) -> tuple[str, Any]:
    """A result, or an error as text: two codecs must agree on either."""
    try:
        return "value", call(*args)
    except (WireError, EncodeError) as error:
        return type(error).__name__, (str(error), error.path)


@given(data=st.data())
@_calm
def test_random_values_of_random_schemas_come_back(twins: tuple[ModuleType, ModuleType], data: st.DataObject) -> None:
    pure, native = twins
    schema = data.draw(strategies.structs(strategies.types()))
    value = data.draw(strategies.values(schema))
    raw = pure.encode_struct(value)
    assert native.encode_struct(value) == raw
    for codec in twins:
        back = codec.decode_struct(class_of(schema), raw)
        assert back == value
        assert type(back) is type(value)


@given(data=st.data())
@_calm
def test_mutated_bytes_give_the_same_value_or_error(twins: tuple[ModuleType, ModuleType], data: st.DataObject) -> None:
    pure, _ = twins
    schema = data.draw(strategies.structs(strategies.types()))
    raw = bytearray(pure.encode_struct(data.draw(strategies.values(schema))))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place] = data.draw(st.integers(0, 255) | st.sampled_from((0, 1, 11, 12, 13, 15, 127, 128, 255)))
    cut = data.draw(st.integers(0, len(raw)))
    for mutant in (bytes(raw), bytes(raw[:cut])):
        assert same(*(outcome(codec.decode_struct, class_of(schema), mutant) for codec in twins))


def same(one: tuple[str, Any], other: tuple[str, Any]) -> bool:
    # By repr too: NaN is not equal to itself.
    return one == other or repr(one) == repr(other)


@given(data=st.data())
@_calm
def test_misfits_give_the_same_error(twins: tuple[ModuleType, ModuleType], data: st.DataObject) -> None:
    schema = data.draw(strategies.structs(strategies.types(), kind="struct"))
    value = data.draw(strategies.values(schema))
    if schema.fields:
        victim = data.draw(st.sampled_from(schema.fields))
        setattr(value, victim.name, data.draw(_anything))
    pure, native = (outcome(codec.encode_struct, value) for codec in twins)
    assert pure == native


_anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=5)
    | st.just(b"x").map(bytearray)
    | st.just(3j)
    | st.just(object),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
        | st.sets(st.integers() | st.text(max_size=2), max_size=3)
    ),
    max_leaves=4,
)


def test_damaged_bytes_give_values_or_wire_errors(any_codec: ModuleType) -> None:
    assert 0 < survive(any_codec, 1, 5_000) < 5_000


@pytest.mark.slow
def test_many_damaged_messages_with_the_readable_source(twins: tuple[ModuleType, ModuleType]) -> None:
    assert survive(twins[0], 2, 100_000) > 0


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_million_damaged_messages_and_round_trips_in_flat_memory(protocol: str) -> None:
    codec_of(protocol, "native")
    # In a process of its own: its memory is measured.
    command = [sys.executable, "-m", "tests.codec.soak", "1000000", protocol]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr


def test_both_codecs_agree_on_damaged_bytes(twins: tuple[ModuleType, ModuleType]) -> None:
    for cls, damaged in mutants(twins[0], 3, 5_000):
        pure, native = (outcome(codec.decode_struct, cls, damaged) for codec in twins)
        assert same(pure, native), damaged.hex()


def test_every_prefix_of_a_message_is_refused(any_codec: ModuleType) -> None:
    raw = any_codec.encode_struct(all_values())
    for end in range(len(raw)):
        with pytest.raises(WireError):
            any_codec.decode_struct(class_of(ALL), raw[:end])
    assert any_codec.decode_struct(class_of(ALL), raw + b"more") == all_values()


def _header(codec: ModuleType, data: bytes) -> str:
    return repr(codec.read_header(data))


@given(data=st.binary(max_size=60))
@_calm
def test_any_bytes_are_a_header_or_a_wire_error(twins: tuple[ModuleType, ModuleType], data: bytes) -> None:
    pure, native = (outcome(_header, codec, data) for codec in twins)
    assert pure == native
