"""The judgement of releases by simulation: seeded servers, harmless and bad, whose calls are drawn and not made."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from math import comb, inf

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thriftserver.master.chance import binomial, fisher
from thriftserver.master.judgement import (
    ALPHA,
    MUST_SEE,
    Evidence,
    Pair,
    Side,
    Slice,
    Tally,
    Verdict,
    judge,
    quantile,
    weigh,
)
from thriftserver.scoreboard.layout import bucket

#: Slices of one trial, and those of them that are not warm yet.
SLICES, COLD = 60, 12
MS = 1_000_000


class Release:
    """Draws what one worker does in a slice: a harmless release of two methods, one fast and one with a long tail."""

    rate = 20
    """Calls of each method in a slice."""
    size = 60 << 20

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.grown = 0
        self.slices = 0

    def outcome(self, method: str) -> str:
        failed = "undeclared" if self.chance.random() < 0.001 else "success"
        return "declared" if method == "find" and self.chance.random() < 0.2 else failed

    def duration(self, method: str) -> float:
        """In milliseconds."""
        if method == "find":
            return self.chance.lognormvariate(0.7, 1.0)
        return 80.0 if self.chance.random() < 0.1 else 2.0 + self.chance.random()

    def busy(self) -> float:
        """How much longer all calls of this slice last: others use the machine, too."""
        return 4.0 if self.chance.random() < 0.1 else 1.0

    def growth(self) -> int:
        return self.chance.choice((0, 0, 0, 4096, 262_144, -4096))

    def blocked(self) -> int:
        return 0

    def crashes(self) -> int:
        return 0

    def stuck(self) -> int:
        return int(self.chance.random() < 0.02)

    def slice(self, pid: int) -> Side:
        self.slices += 1
        self.grown += self.growth()
        methods, busy = {}, self.busy()
        for method in ("find", "store"):
            calls = self.chance.randint(self.rate // 2, self.rate * 3 // 2)
            outcomes = Counter(self.outcome(method) for _ in range(calls))
            times = Counter(bucket(int(self.duration(method) * busy * MS)) for _ in range(calls))
            methods[method] = Tally(dict(outcomes), dict(times))
        sizes = {pid: self.size + self.grown}
        return Side(methods, sizes, self.blocked(), self.crashes(), self.stuck(), 0.5)


def merged(sides: list[Side]) -> Side:
    methods: dict[str, Tally] = {}
    for side in sides:
        for name, tally in side.methods.items():
            known = methods.get(name, Tally())
            methods[name] = Tally(
                dict(Counter(known.outcomes) + Counter(tally.outcomes)),
                dict(Counter(known.histogram) + Counter(tally.histogram)),
            )
    sizes = {pid: size for side in sides for pid, size in side.sizes.items()}
    blocked, crashes = sum(side.blocked for side in sides), sum(side.crashes for side in sides)
    stuck, seconds = sum(side.stuck for side in sides), sum(side.seconds for side in sides)
    return Side(methods, sizes, blocked, crashes, stuck, seconds)


def tried(
    seed: int,
    make: Callable[[random.Random], Release],
    *,
    old: Callable[[random.Random], Release] = Release,
    workers: int = 3,
    before: tuple[int, float] = (0, 3600.0),
) -> tuple[Verdict, int]:
    """The verdict on a release beside so many workers of the old one, and after how many slices it was spoken."""
    chance = random.Random(seed)
    canary, others = make(chance), [old(chance) for _ in range(workers)]
    evidence = Evidence(before=before)
    for number in range(SLICES):
        others_did = merged([each.slice(100 + place) for place, each in enumerate(others)])
        evidence = weigh(evidence, Slice(canary.slice(1), others_did, warm=number >= COLD))
        verdict = judge(evidence, final=False)
        if verdict.worse:
            return verdict, number + 1
    return judge(evidence, final=True), SLICES


class Raises(Release):
    def outcome(self, method: str) -> str:
        return "undeclared" if method == "store" else super().outcome(method)


class RaisesSometimes(Release):
    def outcome(self, method: str) -> str:
        return "bad_result" if self.chance.random() < 0.05 else super().outcome(method)


class TwiceAsSlow(Release):
    def duration(self, method: str) -> float:
        return 2.5 * super().duration(method) if method == "store" else super().duration(method)


class LongTail(Release):
    def duration(self, method: str) -> float:
        return 200.0 if method == "find" and self.chance.random() < 0.25 else super().duration(method)


class Leaks(Release):
    def growth(self) -> int:
        return super().growth() + 500_000


class Larger(Release):
    size = 200 << 20


class Blocks(Release):
    def blocked(self) -> int:
        return int(self.chance.random() < 0.5)


class StandsStill(Release):
    """Its loop is caught by the first call: it answers nothing, and there is little to count."""

    def slice(self, pid: int) -> Side:
        return msgspec.structs.replace(super().slice(pid), methods={}, stuck=int(self.slices > 2))


class Crashes(Release):
    def crashes(self) -> int:
        return int(self.slices == 6)


class Declares(Release):
    def outcome(self, method: str) -> str:
        return "declared" if method == "store" and self.chance.random() < 0.3 else super().outcome(method)


class Sheds(Release):
    def outcome(self, method: str) -> str:
        return self.chance.choice(("shed", "timeout")) if self.chance.random() < 0.05 else super().outcome(method)


BAD = {
    Raises: "outcomes",
    RaisesSometimes: "outcomes",
    TwiceAsSlow: "latency",
    LongTail: "latency",
    Leaks: "leak",
    Larger: "memory",
    Blocks: "blocked",
    StandsStill: "stuck",
    Crashes: "crash",
    Declares: "outcomes",
    Sheds: "outcomes",
}


@pytest.mark.parametrize("release", BAD)
def test_bad_releases_are_found_out_and_for_what_they_are(release: type[Release]) -> None:
    for seed in range(5):
        verdict, _ = tried(seed, release)
        assert verdict.worse, f"seed {seed}"
        assert {finding.what for finding in verdict.worse} == {BAD[release]}, verdict.reason


def test_what_is_evident_is_not_waited_for() -> None:
    for seed in range(10):
        assert tried(seed, Raises)[1] <= 4
        assert tried(seed, Crashes)[1] == 6
        assert tried(seed, Sheds)[1] < SLICES


@pytest.mark.parametrize("workers", [1, 3, 8])
def test_harmless_releases_pass(workers: int) -> None:
    """At a confidence of 99.9 % one in a thousand may fail; of these none does."""
    for seed in range(24 // workers + 6):
        verdict, _ = tried(seed, Release, workers=workers)
        assert not verdict.worse, f"seed {seed}: {verdict.reason}"
        assert verdict.enough


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_false_alarms_are_as_rare_as_the_confidence_says() -> None:
    """A thousand harmless releases, in traffic that is busy and bursty: one false alarm is expected at most."""
    alarms = [seed for seed in range(1000) if tried(seed, Release)[0].worse]
    assert len(alarms) <= 3, alarms


class Busy(Release):
    """A third of the time its machine is busy, and each slice is another one's."""

    def busy(self) -> float:
        return self.chance.choice((1.0, 1.0, 3.0))


class Failing(Release):
    """A dependency fails now and then, for all."""

    def outcome(self, method: str) -> str:
        return "timeout" if self.chance.random() < 0.3 else super().outcome(method)


class OneBurst(Release):
    """A network that was away for one slice."""

    def outcome(self, method: str) -> str:
        return "timeout" if self.slices == 12 else super().outcome(method)


class Growing(Release):
    """A cache that fills, as the others' did, and is full."""

    def growth(self) -> int:
        return (2 << 20) if self.slices < COLD else super().growth()


class ALittleSlower(Release):
    def duration(self, method: str) -> float:
        return 1.2 * super().duration(method)


@pytest.mark.parametrize(
    ("release", "old"),
    [(Busy, Busy), (Failing, Failing), (OneBurst, Release), (Growing, Release), (ALittleSlower, Release)],
)
def test_what_happens_to_all_or_hardly_matters_is_no_reason(release: type[Release], old: type[Release]) -> None:
    for seed in range(10):
        verdict, _ = tried(seed, release, old=old)
        assert not verdict.worse, f"seed {seed}: {verdict.reason}"


def test_crashes_of_a_service_that_crashes_anyway_are_counted() -> None:
    """The old one crashes every minute: one crash of the new one is nothing, one in each slice is."""
    assert not tried(1, Crashes, before=(180, 3 * 3600.0))[0].worse

    class Always(Release):
        def crashes(self) -> int:
            return 1

    verdict, slices = tried(1, Always, before=(180, 3 * 3600.0))
    assert [finding.what for finding in verdict.worse] == ["crash"]
    assert slices < 10


def test_a_method_whose_calls_never_end_is_slower() -> None:
    class Hangs(Release):
        def slice(self, pid: int) -> Side:
            found = super().slice(pid)
            age = self.slices * 500 * MS
            return Side({**found.methods, "store": Tally({}, {bucket(age): 10})}, found.sizes, seconds=0.5)

    verdict, _ = tried(1, Hangs)
    assert {finding.what for finding in verdict.worse} == {"latency"}
    assert "store" in verdict.reason


def test_without_traffic_there_is_no_judgement_and_it_says_how_little_it_sees() -> None:
    class Idle(Release):
        rate = 0

    verdict, _ = tried(1, Idle, old=Idle)
    assert not verdict.worse
    assert (verdict.enough, verdict.sees, verdict.calls) == (False, inf, Pair(0, 0))

    class Quiet(Release):
        rate = 1

    verdict, _ = tried(1, Quiet, old=Quiet)
    assert not verdict.enough
    assert MUST_SEE < verdict.sees <= 1
    busy, _ = tried(1, Release)
    assert busy.sees < 0.01


def test_looking_often_makes_no_false_alarms() -> None:
    """Outcomes alone: two sides that are alike, and looks all the way."""
    chance, alarms, runs = random.Random(7), 0, 300
    for _ in range(runs):
        evidence = Evidence()
        for _ in range(20):
            new = Side({"m": Tally({"timeout": chance.randint(0, 2), "success": 5})})
            old = Side({"m": Tally({"timeout": chance.randint(0, 2) + chance.randint(0, 2), "success": 10})})
            evidence = weigh(evidence, Slice(new, old))
            if judge(evidence, final=False).worse:
                break
        alarms += bool(judge(evidence, final=True).worse or judge(evidence, final=False).worse)
    assert alarms <= 3 + ALPHA * runs


COUNTS = st.integers(0, 60)


@given(COUNTS, COUNTS, COUNTS, COUNTS)
def test_fisher_is_the_sum_that_it_stands_for(bad: int, good: int, other_bad: int, other_good: int) -> None:
    drawn, marked, total = bad + good, bad + other_bad, bad + good + other_bad + other_good
    ways = sum(comb(marked, n) * comb(total - marked, drawn - n) for n in range(bad, min(drawn, marked) + 1))
    exact = ways / comb(total, drawn)
    found = fisher(bad, good, other_bad, other_good)
    assert found == pytest.approx(exact, rel=1e-9) or (found == 1.0 and bad * total <= drawn * marked)


@given(st.integers(0, 80), st.integers(0, 80), st.floats(0.01, 0.99))
def test_binomial_is_the_sum_that_it_stands_for(successes: int, more: int, chance: float) -> None:
    trials = successes + more
    exact = sum(comb(trials, n) * chance**n * (1 - chance) ** (trials - n) for n in range(successes, trials + 1))
    found = binomial(successes, trials, chance)
    assert found == pytest.approx(exact, rel=1e-9) or (found == 1.0 and successes <= trials * chance)


def test_large_numbers_are_no_trouble() -> None:
    assert fisher(10_000_000, 0, 0, 10_000_000) == 0.0
    assert fisher(5_000_000, 5_000_000, 5_000_100, 5_000_000) == 1.0
    assert 0 < fisher(2_000, 10**9, 1_000, 10**9) < 1e-50
    assert 0 < fisher(500_500_000, 500_000_000, 500_000_000, 500_500_000) < 1
    assert fisher(2**63, 1, 2**62, 2**62) == 0.0
    for made_up in (2**62, 2**64 - 1):
        assert 0 <= fisher(made_up + 2**30, made_up, made_up, made_up) <= 1.0
    assert binomial(2**62, 2**63, 0.4) == 0.0
    assert 0 < binomial(55_000, 100_000, 0.5) < 1e-200


@given(st.dictionaries(st.integers(0, 479), st.integers(1, 50), min_size=1), st.sampled_from([0.5, 0.95]))
def test_a_quantile_of_few_calls_is_below_that_of_the_other_side(histogram: dict[int, int], share: float) -> None:
    assert 0 < quantile(histogram, share, up=False) <= quantile(histogram, share, up=True)
