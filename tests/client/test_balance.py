"""Which server gets a call: a pool's decisions, one by one and over histories of chance."""

from __future__ import annotations

import random
from collections import Counter
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thriftserver.client.balance import GENTLY, LONGEST, RAMP, Balance, Endpoint, State
from thriftserver.client.news import Ejected, Moved, Returned
from thriftserver.client.pooling import Pooling, PoolOptions
from thriftserver.client.retry import EACH_SECOND, LOSSES, MORE, RESERVE, SHED_MORE, Budget, Course, Outcome, outcome_of
from thriftserver.compiled import choose
from thriftserver.discovery.addresses import Address
from thriftserver.errors import ApplicationError, EncodeError, TransportError
from thriftserver.wire import Application

if TYPE_CHECKING:
    from thriftserver.client.lending import Held, Lender, busy
else:
    Held, Lender, busy = choose("client.lending").Held, choose("client.lending").Lender, choose("client.lending").busy


class Chosen(Balance):
    """One whose choices can be asked for."""

    def __init__(self) -> None:
        self.lender = Lender(lambda place, now: Held(place), lambda held: None)
        super().__init__(self.lender, 3, 1.0, random.Random(1))

    def choose(self) -> Endpoint:
        chosen = self.lender.choose()
        assert isinstance(chosen, Endpoint)
        return chosen


def balance(servers: int, weights: dict[int, float] | None = None) -> Chosen:
    made = Chosen()
    made.update([Address("h", n, (weights or {}).get(n, 1.0)) for n in range(1, servers + 1)], 0.0)
    return made


def asked(it: Chosen, calls: int) -> Counter[int]:
    return Counter(it.choose().address.port for _ in range(calls))


def eject(it: Balance, endpoint: Endpoint, now: float) -> Ejected:
    while (news := it.failed(endpoint, "why", now)) is None:
        pass
    return news


@pytest.mark.parametrize("servers", [1, 2, 3, 10, 100])
def test_equal_servers_share_calls_one_after_the_other(servers: int) -> None:
    it = balance(servers)
    counts = asked(it, 6400)
    assert len(counts) == servers
    assert max(counts.values()) - min(counts.values()) <= 0.1 * 6400 / servers


def test_a_server_with_more_in_flight_gets_fewer() -> None:
    it = balance(2)
    one, other = it.endpoints
    one.held.add(Held(one))
    assert asked(it, 50) == {2: 50}
    for _ in range(2):
        other.held.add(Held(other))
    assert asked(it, 50) == {1: 50}


def test_the_busiest_of_several_is_never_chosen() -> None:
    it = balance(5)
    for _ in range(3):
        it.endpoints[2].held.add(Held(it.endpoints[2]))
    assert 3 not in asked(it, 1000)


def test_weights_are_shares() -> None:
    counts = asked(balance(3, {1: 8, 2: 1, 3: 1}), 6400)
    assert counts[1] == pytest.approx(5120, rel=0.1)
    assert counts[2] == pytest.approx(counts[3], rel=0.3)
    loaded = balance(2, {1: 4, 2: 1})
    heavy, light = loaded.endpoints
    for _ in range(3):
        heavy.held.add(Held(heavy))
    light.held.add(Held(light))
    assert asked(loaded, 50) == {1: 50}, "three of four is less than one of one"


def test_failures_in_a_row_eject_and_an_answer_between_them_does_not() -> None:
    it = balance(2)
    one = it.endpoints[0]
    for _ in range(10):
        assert it.failed(one, "x", 1.0) is None
        assert it.failed(one, "x", 1.0) is None
        it.succeeded(one, 1.0, 1.0)
    assert not one.odd
    news = eject(it, one, 2.0)
    assert news.failures == 3
    assert asked(it, 100) == {2: 100}


@pytest.mark.parametrize(("servers", "most"), [(1, 0), (2, 1), (3, 2), (4, 2), (9, 6)])
def test_two_thirds_are_ejected_at_most(servers: int, most: int) -> None:
    it = balance(servers)
    for each in it.endpoints:
        for _ in range(10):
            it.failed(each, "x", 1.0)
    assert sum(each.out for each in it.endpoints) == most


def test_a_server_is_left_out_for_longer_each_time_and_then_not() -> None:
    it = balance(2)
    one = it.endpoints[0]
    now, last = 100.0, 0.0
    for _ in range(12):
        seconds = eject(it, one, now).seconds
        assert seconds >= min(last * 1.6, LONGEST * 0.8)
        assert seconds <= LONGEST
        assert it.due(now + seconds * 0.99) == []
        now += seconds
        assert it.due(now) == [one]
        assert it.due(now) == [], "one asks"
        assert it.probed(one, True, now) == Returned("h:1")
        assert one.state is State.TRIED
        assert it.failed(one, "x", now) is not None, "the first failure after it is one too many"
        last = seconds
        now += one.until - now
        it.due(now)
        it.probed(one, True, now)
    it.succeeded(one, now, now)
    assert eject(it, one, now + 1000).seconds <= 1.0


def test_a_probe_that_fails_leaves_it_out() -> None:
    it = balance(2)
    one = it.endpoints[0]
    until = eject(it, one, 0.0).seconds
    assert it.due(until) == [one]
    assert it.probed(one, False, until) is None
    assert one.state is State.EJECTED
    assert one.until > until + 1.0
    assert it.next_event() == one.until
    assert 1 not in asked(it, 100)


def test_a_server_comes_back_gently() -> None:
    it = balance(2)
    one = it.endpoints[0]
    now = eject(it, one, 0.0).seconds
    it.due(now)
    it.probed(one, True, now)
    shares = []
    for _ in range(int(RAMP) + 2):
        shares.append(asked(it, 640)[1] / 640)
        now = it.next_event() if it.next_event() < 1e9 else now + 1
        it.grow(now)
    assert shares[0] <= 2 * GENTLY
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(0.5, abs=0.02)
    assert it.next_event() == float("inf")


def test_a_late_answer_of_a_call_before_the_ejection_takes_nobody_back() -> None:
    it = balance(2)
    one = it.endpoints[0]
    eject(it, one, 5.0)
    assert it.succeeded(one, 4.0, 6.0) is None
    assert one.out
    assert it.succeeded(one, 5.5, 6.0) == Returned("h:1"), "a call that was made there for want of others"
    assert not one.out


def test_a_server_that_sheds_gets_less_and_more_again() -> None:
    it = balance(2)
    it.was_shed(it.endpoints[0], 100.0)
    before = asked(it, 640)[1]
    assert before < 250
    for second in range(1, 8):
        it.grow(100.0 + second)
    assert asked(it, 640)[1] == pytest.approx(320, abs=10)


def test_addresses_change() -> None:
    it = balance(2)
    one, two = it.endpoints
    removed, news = it.update([Address("h", 2), Address("h", 3), Address("h", 3)], 50.0)
    assert removed == [one]
    assert one.gone
    assert one.odd
    assert news == Moved(("h:3",), ("h:1",))
    assert it.endpoints[0] is two
    counts = asked(it, 640)
    assert counts[3] < 150, "new ones begin gently"
    assert it.update([Address("h", 3), Address("h", 2)], 51.0) == ([], None)
    assert it.probed(one, True, 52.0) is None
    assert it.succeeded(one, 1.0, 52.0) is None
    assert it.failed(one, "x", 52.0) is None


def test_when_the_last_one_that_is_well_is_gone_the_others_are_tried() -> None:
    it = balance(3)
    for each in it.endpoints[:2]:
        eject(it, each, 1.0)
    assert asked(it, 10) == {3: 10}
    it.update([Address("h", 1), Address("h", 2)], 2.0)
    assert set(asked(it, 100)) == {1, 2}
    assert eject(it, it.endpoints[0], 3.0).seconds > 1.0


def test_another_one_is_well_and_untried() -> None:
    it = balance(3)
    one, two, three = it.endpoints
    eject(it, two, 1.0)
    assert it.other([one]) is three
    assert it.other([one, three]) is None
    assert it.last_resort([one, three], False) is two
    assert it.last_resort([two], True) is None


def test_a_call_that_must_not_be_lost_goes_to_nobody_who_keeps_silent() -> None:
    it = balance(3)
    one = it.endpoints[0]
    while it.failed(one, "x", 1.0, silent=True) is None:
        pass
    assert it.last_resort((), False) is None
    assert it.last_resort((), True) is one


def test_what_is_shed_goes_to_nobody_who_is_left_out() -> None:
    it = balance(3)
    one, two, three = it.endpoints
    eject(it, one, 1.0)
    eject(it, two, 1.0)
    for outcome, targets in ((Outcome.SHED, {three}), (Outcome.UNSENT, {one, two})):
        course, budget = Course(False, random.Random(1)), Budget(0.2, 0.0)
        assert course.ended(three, outcome)
        again = course.next(it, budget, lambda: 0, 10.0, 1.0)
        assert again is not None
        assert again.endpoint in targets
        assert bool(again.pause) is (outcome is Outcome.SHED)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (TransportError("x", "", "connecting", executed=False), Outcome.UNSENT),
        (TransportError("x", "", "waiting", executed=True), Outcome.LOST),
        (TransportError("x", "", "", executed=False), Outcome.UNASKED),
        (TransportError("x", "", "queueing", executed=False), Outcome.UNASKED),
        (ApplicationError(Application.LOADSHEDDING), Outcome.SHED),
        (ApplicationError(Application.INTERNAL_ERROR), Outcome.ANSWERED),
        (ApplicationError(Application.INTERNAL_ERROR, "connection failure before response start: x"), Outcome.LOST),
        (ApplicationError(Application.INTERNAL_ERROR, "no healthy upstream for 'orders'"), Outcome.LOST),
        (ApplicationError(Application.UNKNOWN_METHOD, "no healthy upstream for 'orders'"), Outcome.ANSWERED),
        (EncodeError("x"), Outcome.UNASKED),
        (KeyboardInterrupt(), Outcome.UNASKED),
    ],
)
def test_what_the_end_of_an_attempt_says(error: BaseException, outcome: Outcome) -> None:
    assert outcome_of(error) is outcome


def after(outcome: Outcome, idempotent: bool, left: float | None = 10.0, servers: int = 3) -> list[str]:
    """The servers that a call is made at whose attempts all end so."""
    it = balance(servers)
    course, budget = Course(idempotent, random.Random(1)), Budget(0.2, 0.0)
    endpoint, found, pauses = it.choose(), [], []
    while True:
        found.append(str(endpoint.address))
        again = course.next(it, budget, lambda: 0, left, 1.0) if course.ended(endpoint, outcome) else None
        if again is None:
            assert not any(pauses[: servers - 1])
            assert all(pauses[servers - 1 :: servers])
            return found
        endpoint = again.endpoint
        pauses.append(again.pause)


def test_what_is_made_again_and_where() -> None:
    assert len(after(Outcome.LOST, idempotent=False)) == 1
    assert len(after(Outcome.ANSWERED, idempotent=True)) == 1
    assert len(after(Outcome.UNASKED, idempotent=True)) == 1
    for outcome, idempotent in ((Outcome.LOST, True), (Outcome.UNSENT, False), (Outcome.SHED, False)):
        found = after(outcome, idempotent)
        most = {Outcome.LOST: LOSSES, Outcome.UNSENT: 3 + MORE, Outcome.SHED: 3 + SHED_MORE}
        assert len(found) == most[outcome]
        assert len(set(found[:3])) == 3, "elsewhere first"
        assert len(after(outcome, idempotent, left=0.0)) == 1
    assert len(after(Outcome.UNSENT, False, left=0.001)) == 3, "there is no time for a pause"
    assert len(after(Outcome.UNSENT, False, servers=1)) == 1 + MORE


@given(st.floats(0, 1), st.lists(st.tuples(st.integers(0, 50), st.floats(0, 2)), max_size=200))
def test_repeats_are_never_more_than_is_paid_for(share: float, steps: list[tuple[int, float]]) -> None:
    budget, calls, now, repeats = Budget(share, 0.0), 0, 0.0, 0
    for more, seconds in steps:
        calls, now = calls + more, now + seconds
        for _ in range(40):
            repeats += budget.spend(calls, now)
    assert repeats <= RESERVE + share * calls + EACH_SECOND * now
    assert share or not repeats


class Line(Held):
    """A connection that only knows whether it was closed."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self.closed = False

    def close(self) -> None:
        assert not self.closed
        self.closed = True


@dataclass
class World:
    """A pool without sockets: everything happens when a test says so."""

    pool: Pooling
    now: float = 100.0
    lines: list[Line] = field(default_factory=list)
    flying: list[Line] = field(default_factory=list)
    probes: list[Endpoint] = field(default_factory=list)
    calls: int = 0

    def check(self) -> None:
        endpoints = self.pool.balance.endpoints
        assert not all(each.out for each in endpoints)
        for each in endpoints:
            assert set(each.idle) <= each.held
            assert busy(each) == sum(line.endpoint is each and not each.gone for line in self.flying)
        open_lines = [line for line in self.lines if not line.closed]
        known = {line for each in endpoints for line in each.held}
        assert set(open_lines) == known | {line for line in self.flying if line.endpoint.gone}
        assert all(line in line.endpoint.held - set(line.endpoint.idle) for line in self.flying)
        assert self.pool.stats().calls == self.calls


ERRORS = [
    TransportError("refused", "", "connecting", executed=False),
    TransportError("late", "", "waiting", executed=True),
    ApplicationError(Application.LOADSHEDDING),
    ApplicationError(Application.INTERNAL_ERROR),
    EncodeError("x"),
    KeyboardInterrupt(),
]


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 4), st.lists(st.tuples(st.integers(0, 8), st.integers(0, 50), st.floats(0, 20)), max_size=80))
def test_histories_of_chance(servers: int, steps: list[tuple[int, int, float]]) -> None:
    lines: list[Line] = []

    def make(endpoint: Endpoint) -> Line:
        lines.append(Line(endpoint))
        return lines[-1]

    options = PoolOptions(idle=30.0, max_age=50.0, eject_after=2, eject_for=1.0)
    world = World(Pooling(options, make, nullcontext(), True, 100.0), lines=lines)
    pool = world.pool
    pool.resolved([Address("h", n) for n in range(servers)], world.now)
    for kind, number, seconds in steps:
        world.now += seconds
        if world.now >= pool.lender.due:
            world.probes += pool.look(world.now).probes
            assert pool.lender.due > world.now
        if kind <= 2:
            held = pool.take(world.now)
            assert isinstance(held, Line)
            assert not held.closed
            assert held.until >= world.now
            assert held.endpoint in pool.balance.endpoints
            assert not held.endpoint.out
            world.flying.append(held)
            world.calls += 1
        elif kind <= 4 and world.flying:
            held = world.flying.pop(number % len(world.flying))
            if pool.give(held):
                pool.answered(held, world.now)
        elif kind <= 6 and world.flying:
            held = world.flying.pop(number % len(world.flying))
            error = ERRORS[number % len(ERRORS)]
            pool.failed(held, outcome_of(error), error, None, world.now)
        elif kind == 7 and world.probes:
            pool.probed(world.probes.pop(), bool(number % 2), world.now)
        elif kind == 8:
            pool.resolved([Address("h", (number + n) % 6) for n in range(1 + number % 4)], world.now)
        world.check()
    for held in world.flying:
        if pool.give(held):
            pool.answered(held, world.now)
    pool.close()
    assert all(line.closed for line in lines)
