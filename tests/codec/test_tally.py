"""What Thrift's versioning forgives is counted, once for each field, and alike by both codecs."""

from __future__ import annotations

import struct
from types import ModuleType

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.codec.schemas import POINT, SHAPE, field, function
from thriftserver.codec.plan import method_plan
from thriftserver.schema import model

_PLAN = method_plan(
    function(
        "f",
        None,
        [field(id, f"a{id}", model.I32, default=7 if id == 3 else model.ABSENT) for id in (2, 3, 5, 6)]
        + [field(8, "shape", SHAPE), field(9, "point", POINT)],
    )
)
_KNOWN = (2, 3, 5, 6)


def expected(fields: list[tuple[int, bool]]) -> tuple[int, int, int]:
    """Skipped, repeated and misordered, by the definition: one look at each field and all before it."""
    skipped = repeated = misordered = 0
    for index, (id, fits) in enumerate(fields):
        before = [each for each in fields[:index] if each[0] in _KNOWN]
        if id not in _KNOWN or not fits:
            skipped += 1
        elif (id, True) in before:
            repeated += 1
        elif any(other >= id for other, _ in before):
            misordered += 1
    return skipped, repeated, misordered


def counts(codec: ModuleType, data: bytes) -> tuple[int, int, int, int]:
    tally = codec.new_tally()
    codec.decode_args(_PLAN, data, 0, tally)
    return tally.skipped, tally.repeated, tally.misordered, tally.trailing


@given(fields=st.lists(st.tuples(st.integers(1, 7), st.booleans()), max_size=12), rest=st.binary(max_size=5))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_fields_of_any_order(both: tuple[ModuleType, ModuleType], fields: list[tuple[int, bool]], rest: bytes) -> None:
    body = b"".join(struct.pack(">bhi", 8, id, 7) if fits else struct.pack(">bhb", 2, id, 1) for id, fits in fields)
    for codec in both:
        assert counts(codec, body + b"\0" + rest) == (*expected(fields), len(rest))


def test_inner_structs_count_too_and_tallies_add_up(codec: ModuleType) -> None:
    circle, label = b"\x04\0\x01" + bytes(8), b"\x0b\0\x02\0\0\0\0"
    unknown = b"\x0f\0\x63\x0c\0\0\0\x02" + (b"\x08\0\x01" + bytes(4) + b"\0") * 2  # one field, whatever is in it
    shape = b"\x0c\0\x08" + circle + label + unknown + b"\0"
    point = b"\x0c\0\x09" + b"\x08\0\x02" + bytes(4) + b"\x08\0\x01" + bytes(4) + b"\0"
    assert counts(codec, shape + point + b"\0") == (1, 1, 1, 0)
    tally = codec.new_tally()
    for _ in range(3):
        codec.decode_args(_PLAN, shape + b"\0xy", 0, tally)
    assert (tally.skipped, tally.repeated, tally.misordered, tally.trailing) == (3, 3, 0, 6)


def test_a_field_far_behind_the_one_expected_is_in_order(both: tuple[ModuleType, ModuleType]) -> None:
    plan = method_plan(function("g", None, [field(id, f"a{id}", model.I32) for id in range(1, 41)]))

    def body(*ids: int) -> bytes:
        return b"".join(struct.pack(">bhi", 8, id, place) for place, id in enumerate(ids)) + b"\0"

    for codec in both:
        tally = codec.new_tally()
        args = codec.decode_args(plan, body(1, 30, 99, 31, 2, 30, 40), 0, tally)
        assert (tally.skipped, tally.repeated, tally.misordered) == (1, 1, 1)
        assert {place + 1: value for place, value in enumerate(args) if value is not None} == {
            1: 0, 30: 5, 31: 3, 2: 4, 40: 6,
        }  # fmt: skip
