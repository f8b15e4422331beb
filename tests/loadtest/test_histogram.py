"""Durations in buckets: against all of them in order."""

from __future__ import annotations

import itertools
import math
import random

import pytest

from thriftserver.loadtest.histogram import Histogram, bounds


def filled(values: list[int]) -> Histogram:
    made = Histogram()
    for value in values:
        made.record(value)
    return made


def test_every_number_is_in_a_bucket_of_its_own_size() -> None:
    edges = [0, 1, 255, 256, 257, 511, 512, 1023, 1024, 10**6, 10**9, (1 << 50) - 1]
    for value in edges:
        (bucket,) = filled([value]).buckets
        low, high = bounds(bucket)
        assert low <= value < high
        assert high - low <= max(value / 128, 1)
    all_bounds = [bounds(bucket) for bucket in range(2000)]
    assert all(one[1] == other[0] for one, other in itertools.pairwise(all_bounds))


@pytest.mark.parametrize("share", [0.0, 0.5, 0.9, 0.99, 0.999, 1.0])
def test_quantiles(share: float) -> None:
    chance = random.Random(1)
    values = [int(chance.lognormvariate(12, 2)) for _ in range(10_000)]
    exact = sorted(values)[max(math.ceil(share * len(values)) - 1, 0)]
    assert filled(values).quantile(share) == pytest.approx(exact, rel=0.004)


def test_what_is_exact() -> None:
    values = [3, 1000, 123_456_789]
    made = filled(values)
    assert (made.count, made.total, made.least, made.greatest) == (3, sum(values), 3, 123_456_789)
    assert made.mean == sum(values) / 3
    assert made.quantile(0) == 3
    assert made.quantile(1) == pytest.approx(123_456_789, rel=0.004)


def test_two_are_one() -> None:
    one, other = filled([1, 500, 10**6]), filled([2, 10**8])
    one.add(other)
    together = filled([1, 500, 10**6, 2, 10**8])
    assert one.plain() == together.plain()
    one.add(Histogram())
    assert one.plain() == together.plain()


def test_as_data_and_back() -> None:
    for values in ([], [5], [1, 10**9, 10**5]):
        made = filled(values)
        again = Histogram.of(made.plain())
        assert (again.plain(), again.count, again.mean) == (made.plain(), made.count, made.mean)
        again.record(7)
        assert again.least == min([*values, 7])


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"total": 1, "least": 1, "greatest": 1, "buckets": []},
        {"total": -1, "least": 1, "greatest": 1, "buckets": {"1": 1}},
        {"total": 1, "least": 1, "greatest": "1", "buckets": {"1": 1}},
        {"total": 1, "least": 1, "greatest": 1, "buckets": {"1": 0}},
        {"total": 1, "least": 1, "greatest": 1, "buckets": {"x": 1}},
    ],
)
def test_what_is_no_histogram(data: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"histogram|invalid literal"):
        Histogram.of(data)


def test_nothing() -> None:
    assert (Histogram().mean, Histogram().quantile(0.5)) == (0, 0)


def test_memory_does_not_grow_with_calls() -> None:
    chance = random.Random(2)
    made = filled([int(2 ** chance.uniform(0, 50)) for _ in range(100_000)])
    assert len(made.buckets) <= 44 * 128
