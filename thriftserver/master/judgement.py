"""Is a new generation worse than the one that serves beside it? Accounts in, a verdict with its evidence out.

Pure functions: ``weigh`` adds one slice of time to the evidence, ``judge`` says what follows from it. Nothing here
reads a clock, a process or the scoreboard (``trial`` does), so releases can be simulated by the thousand
(tests/master/test_judgement.py).

Both sides serve at the same time, so what happens to all of them says nothing. Each question is an exact test:

- how calls end, by method and outcome: Fisher's test of the counts. It must also recur: a burst is one event;
- how long they last, by method, at the middle and the tail, and memory, its level and its growth: comparisons of one
  stretch of time each, of which the new one loses no more than half if it is no worse than a margin allows. Such a
  sign test asks nothing of the shape of a distribution, and one stretch in which the machine was busy is one of many;
- loops that stand still: comparisons as well, of the looks at which one of the two sides does;
- crashes and blocked loops: the binomial test, by how long each side has lived. The first crash of all is enough.

The chance that a release which is not worse is rolled back is ``ALPHA`` at most: half is for the verdict at the end,
half for all looks before, 1/(i(i+1)) of it for the i-th; each is divided by the number of questions (Bonferroni).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import ceil, floor, inf

from msgspec import Struct
from msgspec.structs import replace

from thriftserver.master.chance import binomial, fisher
from thriftserver.scoreboard import layout

#: The chance that chance alone condemns a release; 1 - ALPHA is the confidence.
ALPHA = 0.001
#: Stretches of time in which an outcome must be seen more than once before it counts.
RECURS = 3
#: Calls at least on each side of a comparison, by the quantile that is compared.
QUANTILES: Mapping[float, int] = {0.5: 3, 0.95: 20}
#: How much longer calls may last: this many times, and nanoseconds.
SLOWER, LATER = 1.5, 250_000
#: How much more memory a worker may hold: this many times, and bytes.
LARGER, MORE = 1.5, 32 << 20
#: How much it must have grown since it was warm to be called a leak: this part of it, and bytes.
GROWN, LEAKED = 0.1, 8 << 20
#: Outcomes that a server is to blame for must be so many times as frequent to count.
TWICE = 2.0
#: Those that depend on what clients ask: so much more of all calls, too. One client may be all of a worker's.
POINTS = 0.05
#: There is enough traffic when a failure of so large a part of the calls would have been seen.
MUST_SEE = 0.1

#: Findings that are told one by one.
SHOWN = 5

BLAMED = ("undeclared", "bad_result", "application", "timeout", "shed", "lost")
ASKED_FOR = ("declared", "bad_request", "forbidden", "gone")

#: Calls by ``layout.bucket`` of their duration, without the empty ones.
Histogram = dict[int, int]


class Tally(Struct, frozen=True):
    """One method, in one stretch of time. A call that is not over counts as one that lasts until now."""

    outcomes: dict[str, int] = {}
    histogram: Histogram = {}


class Side(Struct, frozen=True):
    """What the workers of one side have done in one stretch of time."""

    methods: dict[str, Tally] = {}
    sizes: dict[int, int] = {}
    """Bytes of memory of each, by pid, at the end of it."""
    blocked: int = 0
    crashes: int = 0
    stuck: int = 0
    """Workers whose loop gives no sign of life at the end of it."""
    seconds: float = 0.0
    """Of all workers together."""


class Slice(Struct, frozen=True):
    """A stretch of time. While the new side is not ``warm`` its caches are empty: only crashes and outcomes count."""

    new: Side
    old: Side
    warm: bool = True


class Pair(Struct, frozen=True):
    """The same number of both sides."""

    new: float = 0
    old: float = 0

    def plus(self, new: float, old: float) -> Pair:
        return Pair(self.new + new, self.old + old)


class Bout(Struct, frozen=True):
    """Comparisons of one thing: how many there were, and how many the new side has lost. ``last`` has the values."""

    lost: int = 0
    held: int = 0
    last: Pair = Pair()

    def plus(self, worse: bool, values: Pair) -> Bout:
        return Bout(self.lost + worse, self.held + 1, values)


class Evidence(Struct, frozen=True):
    """All that is known. It begins with what the old side has done ``before``: crashes, and seconds of all workers."""

    before: tuple[int, float] = (0, 0.0)
    looks: int = 0
    outcomes: dict[tuple[str, str], Pair] = {}
    recurred: dict[tuple[str, str], int] = {}
    calls: dict[str, Pair] = {}
    pending: dict[tuple[str, float], tuple[Histogram, Histogram]] = {}
    latency: dict[tuple[str, float], Bout] = {}
    memory: Bout = Bout()
    growth: Bout = Bout()
    sizes: dict[int, int] = {}
    """Memory by pid when the slice before ended, and when all was warm."""
    warm: dict[int, int] = {}
    stuck: Bout = Bout()
    blocked: Pair = Pair()
    crashes: Pair = Pair()
    seconds: Pair = Pair()

    @property
    def total(self) -> Pair:
        """Calls of both sides."""
        return Pair(sum(each.new for each in self.calls.values()), sum(each.old for each in self.calls.values()))


class Finding(Struct, frozen=True):
    """One thing that is worse. ``chance`` is how likely that is if it is not."""

    what: str
    text: str
    chance: float


class Verdict(Struct, frozen=True):
    worse: Sequence[Finding]
    calls: Pair
    sees: float
    """The smallest part of the calls, of all methods together, whose failure would have been seen; above 1: none."""
    questions: int

    @property
    def enough(self) -> bool:
        """Was there enough traffic to say that a release is well?"""
        return self.sees <= MUST_SEE

    @property
    def reason(self) -> str:
        """The plainest findings, in words."""
        more = len(self.worse) - SHOWN
        texts = [finding.text for finding in self.worse[:SHOWN]]
        return "; ".join([*texts, f"and {more} more"] if more > 0 else texts)


# What is known, slice by slice.


def weigh(evidence: Evidence, found: Slice) -> Evidence:
    """The evidence with one more stretch of time."""
    new, old = found.new, found.old
    evidence = replace(
        evidence,
        looks=evidence.looks + 1,
        blocked=evidence.blocked.plus(new.blocked, old.blocked),
        crashes=evidence.crashes.plus(new.crashes, old.crashes),
        seconds=evidence.seconds.plus(new.seconds, old.seconds),
    )
    if bool(new.stuck) != bool(old.stuck):
        evidence = replace(evidence, stuck=evidence.stuck.plus(bool(new.stuck), Pair(new.stuck, old.stuck)))
    evidence = _count(evidence, new.methods, old.methods)
    return _compare_sizes(_compare_times(evidence, found), found) if found.warm else evidence


def _count(evidence: Evidence, new: Mapping[str, Tally], old: Mapping[str, Tally]) -> Evidence:
    calls, outcomes, recurred = dict(evidence.calls), dict(evidence.outcomes), dict(evidence.recurred)
    for method in {**new, **old}:
        ours, theirs = new.get(method, Tally()).outcomes, old.get(method, Tally()).outcomes
        calls[method] = calls.get(method, Pair()).plus(sum(ours.values()), sum(theirs.values()))
        for outcome in {**ours, **theirs}:
            key = method, outcome
            outcomes[key] = outcomes.get(key, Pair()).plus(ours.get(outcome, 0), theirs.get(outcome, 0))
            recurred[key] = recurred.get(key, 0) + (ours.get(outcome, 0) > 0)
    return replace(evidence, calls=calls, outcomes=outcomes, recurred=recurred)


def _compare_times(evidence: Evidence, found: Slice) -> Evidence:
    """Whenever both sides have calls enough of a method, one comparison of each quantile."""
    pending, latency = dict(evidence.pending), dict(evidence.latency)
    for method in {**found.new.methods, **found.old.methods}:
        ours = found.new.methods.get(method, Tally()).histogram
        theirs = found.old.methods.get(method, Tally()).histogram
        for share, least in QUANTILES.items():
            key = method, share
            before = pending.get(key, ({}, {}))
            new, old = together(before[0], ours), together(before[1], theirs)
            pending[key] = new, old
            if min(sum(new.values()), sum(old.values())) >= least:
                values = Pair(quantile(new, share, up=False), quantile(old, share, up=True))
                worse = values.new > values.old * SLOWER + LATER
                latency[key] = latency.get(key, Bout()).plus(worse, values)
                del pending[key]
    return replace(evidence, pending=pending, latency=latency)


def _compare_sizes(evidence: Evidence, found: Slice) -> Evidence:
    """The new worker against the largest of the others, and its growth against that of the one that grew most."""
    new, old = found.new.sizes, found.old.sizes
    if not new or not old:
        return evidence
    before, warm = evidence.sizes, {**new, **old, **evidence.warm}
    size, largest = max(new.values()), max(old.values())
    memory = evidence.memory.plus(size > largest * LARGER + MORE, Pair(size, largest))
    rises = [[each[pid] - before[pid] for pid in each if pid in before] for each in (new, old)]
    growth = evidence.growth
    if all(rises) and max(rises[0]) != max(rises[1]):  # what rests on both sides says nothing
        grown = Pair(*(max(each[pid] - warm[pid] for pid in each) for each in (new, old)))
        growth = growth.plus(max(rises[0]) > max(rises[1]), grown)
    return replace(evidence, sizes={**new, **old}, warm=warm, memory=memory, growth=growth)


def together(one: Histogram, other: Histogram) -> Histogram:
    """The calls of both."""
    return {place: one.get(place, 0) + other.get(place, 0) for place in {**one, **other}}


def quantile(histogram: Histogram, share: float, *, up: bool) -> float:
    """Nanoseconds: the middle of the bucket with the quantile, at the rank above it or below it.

    The rank is median-unbiased: with few calls of one side and many of the other neither is favoured.
    """
    total = sum(histogram.values())
    rank = share * (total + 1 / 3) + 1 / 3
    rank = min(ceil(rank), total) if up else max(floor(rank), 1)
    seen = 0
    for place in sorted(histogram):
        seen += histogram[place]
        if seen >= rank:
            return (layout.edge(place) + layout.edge(place + 1)) / 2
    return 0.0


# What follows from it.


def judge(evidence: Evidence, *, final: bool) -> Verdict:
    """``final`` is for the one verdict at the end; looks before it have a budget of their own."""
    budget = ALPHA / 2 if final else ALPHA / 2 / (evidence.looks * (evidence.looks + 1)) if evidence.looks else 0.0
    asked = [*_about_outcomes(evidence), *_about_times(evidence), *_about_memory(evidence), *_about_loops(evidence)]
    asked.append(_about_crashes(evidence))
    threshold = budget / len(asked)
    worse = sorted((finding for finding in asked if finding.chance <= threshold), key=lambda each: each.chance)
    sees = smallest_seen(evidence.total, ALPHA / 2 / len(asked))
    return Verdict(worse, evidence.total, sees, len(asked))


def _irrelevant(finding: Finding, relevant: bool) -> Finding:
    """A question that was asked, and that no number answers with yes: the difference is too small to matter."""
    return finding if relevant else replace(finding, chance=inf)


def _about_outcomes(evidence: Evidence) -> Iterator[Finding]:
    for (method, outcome), counts in evidence.outcomes.items():
        if outcome not in BLAMED and outcome not in ASKED_FOR:
            continue
        calls = evidence.calls[method]
        chance = fisher(int(counts.new), int(calls.new - counts.new), int(counts.old), int(calls.old - counts.old))
        ours, theirs = counts.new / (calls.new or 1), counts.old / (calls.old or 1)
        relevant = ours >= TWICE * theirs and evidence.recurred[method, outcome] >= RECURS and calls.old > 0
        if outcome in ASKED_FOR:
            relevant = relevant and ours - theirs >= POINTS
        text = (
            f"{method}: {counts.new:.0f} of {calls.new:.0f} calls ended {outcome}, "
            f"{counts.old:.0f} of {calls.old:.0f} in the old generation"
        )
        yield _irrelevant(Finding("outcomes", text, chance), relevant)


def _about_times(evidence: Evidence) -> Iterator[Finding]:
    for (method, share), bout in evidence.latency.items():
        text = (
            f"{method}: {share:.0%} of the calls are over in {bout.last.new / 1e6:.1f} ms, in the old generation in "
            f"{bout.last.old / 1e6:.1f} ms; slower {_so_often(bout)}"
        )
        yield Finding("latency", text, binomial(bout.lost, bout.held, 0.5))


def _so_often(bout: Bout) -> str:
    return f"in {bout.lost} of {bout.held} comparisons"


def _about_memory(evidence: Evidence) -> Iterator[Finding]:
    memory, growth = evidence.memory, evidence.growth
    text = (
        f"memory: {int(memory.last.new) >> 20} MiB, {int(memory.last.old) >> 20} MiB in the old generation; more "
        f"{_so_often(memory)}"
    )
    yield Finding("memory", text, binomial(memory.lost, memory.held, 0.5))
    grown, size = growth.last, memory.last.new
    text = (
        f"memory: it has grown by {int(grown.new) >> 20} MiB since it was warm, {int(grown.old) >> 20} MiB in the old "
        f"generation; faster {_so_often(growth)}"
    )
    leaks = grown.new >= max((size - grown.new) * GROWN, LEAKED, TWICE * grown.old)
    yield _irrelevant(Finding("leak", text, binomial(growth.lost, growth.held, 0.5)), leaks)


def _about_loops(evidence: Evidence) -> Iterator[Finding]:
    blocked, seconds, stuck = evidence.blocked, evidence.seconds, evidence.stuck
    if stuck.held:
        text = f"its loop stood still at {stuck.lost} looks, at {stuck.held - stuck.lost} one of the old generation"
        yield Finding("stuck", text, binomial(stuck.lost, stuck.held, 0.5))
    if blocked.new:
        text = f"its loop was blocked {blocked.new:.0f} times, {blocked.old:.0f} times in the old generation"
        chance = binomial(int(blocked.new), int(blocked.new + blocked.old), _part(seconds.new, seconds.old))
        yield _irrelevant(Finding("blocked", text, chance), blocked.new >= RECURS)


def _about_crashes(evidence: Evidence) -> Finding:
    """A crash costs calls and connections: where the old generation knows none, there is nothing to wait for."""
    crashes, seconds = evidence.crashes, evidence.seconds
    before, lived = evidence.before
    old = before + crashes.old
    text = f"it has crashed {crashes.new:.0f} times in {seconds.new:.0f} s, {old:.0f} times in the old generation"
    if crashes.new and not old:
        return Finding("crash", text, 0.0)
    part = _part(seconds.new, lived + seconds.old)
    return Finding("crash", text, binomial(int(crashes.new), int(crashes.new + old), part))


def _part(new: float, old: float) -> float:
    """The part of the time that is the new side's, never all or nothing of it."""
    return min(max(new / ((new + old) or 1.0), 1e-9), 1 - 1e-9)


def smallest_seen(calls: Pair, threshold: float) -> float:
    new, old = int(calls.new), int(calls.old)
    low, high = 1, new + 1
    while low < high:  # the more fail, the less likely it is
        middle = (low + high) // 2
        if fisher(middle, new - middle, 0, old) <= threshold:
            high = middle
        else:
            low = middle + 1
    return low / new if new and low <= new else inf
