"""When calls are due."""

from __future__ import annotations

import itertools

import pytest

from thriftserver.loadtest.pacing import Closed, Open, Pace, rate


def test_an_even_pace() -> None:
    assert [Pace(4, 4).due(number) for number in range(4)] == [0, 0.25, 0.5, 0.75]


@pytest.mark.parametrize(("first", "last"), [(0, 100), (20, 100), (100, 20), (50, 50)])
def test_a_ramp_has_the_rate_that_it_says_at_each_time(first: float, last: float) -> None:
    pace = Pace(first, last, 10)
    dues = [pace.due(number) for number in range(2000)]
    assert dues == sorted(dues)
    for at in (2, 5, 8, 12):
        per_second = sum(at - 0.5 <= due < at + 0.5 for due in dues)
        assert per_second == pytest.approx(first + (last - first) * min(at, 10) / 10, abs=1.5)
    assert sum(due < 10 for due in dues) == pytest.approx((first + last) / 2 * 10, abs=1)


def dues(schedule: Open) -> list[int]:
    found = []
    while (due := schedule.due(0)) is not None:
        found.append(due)
        schedule.took(0)
    return found


def test_processes_share_the_calls() -> None:
    alone = dues(Open(Pace(10, 10), 0, 1, 0, 0, 10**9, None))
    shared = [dues(Open(Pace(10, 10), part, 3, 0, 0, 10**9, None)) for part in range(3)]
    assert sorted(itertools.chain(*shared)) == alone == [number * 10**8 for number in range(10)]
    numbered = [dues(Open(Pace(10, 10), part, 3, 0, 0, None, 7)) for part in range(3)]
    assert sorted(itertools.chain(*numbered)) == alone[:7]


def test_a_warm_up_comes_before() -> None:
    found = dues(Open(Pace(0, 10, 1), 0, 1, 5 * 10**9, 6 * 10**9, None, 3))
    assert found[:10] == [5 * 10**9 + number * 10**8 for number in range(10)]
    assert len(found) == 13
    assert found[10] == 6 * 10**9


def test_a_closed_loop_counts_after_its_warm_up() -> None:
    schedule = Closed(10, None, 2)
    for now in (1, 5, 9):
        assert schedule.due(now) == now
        schedule.took(now)
    for now in (10, 11):
        assert schedule.due(now) == now
        schedule.took(now)
    assert schedule.due(12) is None


def test_a_closed_loop_ends() -> None:
    schedule = Closed(0, 10, None)
    assert (schedule.due(9), schedule.due(10)) == (9, None)


@pytest.mark.parametrize(("text", "numbers"), [("500", (500, 500)), ("0..20", (0, 20)), ("1.5..1", (1.5, 1))])
def test_rates(text: str, numbers: tuple[float, float]) -> None:
    assert rate(text) == numbers


@pytest.mark.parametrize("text", ["", "0", "5..0", "-1", "nan", "inf", "many", "1..2..3", "1e99"])
def test_what_is_no_rate(text: str) -> None:
    with pytest.raises(ValueError, match="is no rate"):
        rate(text)
