"""A load test's result as lines of text: figures, durations as bars, what went wrong."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from thriftserver.loadtest.comparison import Change
from thriftserver.loadtest.conditions import time_text
from thriftserver.loadtest.histogram import Histogram
from thriftserver.loadtest.result import Result, errors_of, latency
from thriftserver.loadtest.tally import KINDS, Tally

#: Columns of the longest bar, and rows that a histogram has at most.
WIDTH, ROWS = 40, 16
#: Bounds of rows within a power of ten, from coarse to fine.
_STEPS = ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7))
#: Errors that are told; others are counted.
_ERRORS = 10


class Bar(NamedTuple):
    """Durations from ``low`` nanoseconds on and below ``high``, and how many ``calls`` took that long."""

    low: float
    high: float
    calls: int


def bars(times: Histogram, most: int = ROWS) -> list[Bar]:
    """All durations in rows that widen like a logarithm: the finest there are of at most so many."""
    if not times.count:
        return []
    for steps in reversed(_STEPS):
        found = _bars(times, steps)
        if len(found) <= most:
            break
    return found


def _bars(times: Histogram, steps: Sequence[float]) -> list[Bar]:
    first = 10 ** math.floor(math.log10(max(times.least, 1)))
    bounds = [first * step for step in steps]
    while bounds[-1] <= times.greatest:
        first *= 10
        bounds += [first * step for step in steps]
    counts = [0] * (len(bounds) - 1)
    place = 0
    for low, high, count in times.ranges():
        middle = min(max((low + high) / 2, times.least), times.greatest)
        while place < len(counts) - 1 and bounds[place + 1] <= middle:
            place += 1
        counts[place] += count
    rows = [Bar(low, high, count) for low, high, count in zip(bounds, bounds[1:], counts, strict=False)]
    filled = [place for place, row in enumerate(rows) if row.calls]
    return rows[filled[0] : filled[-1] + 1]


def summary(result: Result) -> Iterator[str]:
    """All that is told of a test, but for what it is compared with."""
    total = result.total
    yield f"{total.calls:,} calls in {result.elapsed:.2f} s, {result.rate(total):,.1f}/s"
    yield "  " + ", ".join(outcomes(total))
    yield ""
    yield "Latency"
    yield from _figures(total)
    yield ""
    yield from histogram(total.times)
    if len(result.methods) > 1:
        yield ""
        yield from _methods(result)
    wrong = errors_of(result.methods)
    if wrong:
        yield ""
        yield "What was no result"
        for name, outcome, text, count in wrong[:_ERRORS]:
            yield f"  {count:>9,}  {name}: {outcome}: {text}"
        if len(wrong) > _ERRORS:
            rest = sum(count for *_, count in wrong[_ERRORS:])
            yield f"  {rest:>9,}  in {len(wrong) - _ERRORS} other ways"


def outcomes(tally: Tally) -> list[str]:
    """How many calls have come to which end, as people say it."""
    words = ("results", "declared exceptions", "refused", "unanswered")
    return [f"{count:,} {word}" for count, word in zip(tally.kinds, words, strict=True) if count or word == "results"]


def _figures(tally: Tally) -> Iterator[str]:
    told = latency(tally)
    if not told:
        yield "  no call has been answered"
        return
    pairs = [f"{name:<7}{time_text(value):>8}" for name, value in told.items()]
    columns = -(-len(pairs) // 2)
    for left, right in zip(pairs[:columns], [*pairs[columns:], ""], strict=False):
        yield f"  {left}     {right}".rstrip()


def histogram(times: Histogram) -> Iterator[str]:
    """A row for each range of durations that has any calls between the first and the last."""
    rows = bars(times)
    most = max((row.calls for row in rows), default=0)
    for row in rows:
        bar = "█" * round(row.calls / most * WIDTH) or ("▏" if row.calls else "")
        yield f"  {time_text(row.low / 1e9):>7} - {time_text(row.high / 1e9):<7}  {row.calls:>10,}  {bar}".rstrip()


def _methods(result: Result) -> Iterator[str]:
    width = max(len(name) for name in (*result.methods, "Method"))
    heads = ("calls", "rate/s", "p50", "p99", "max", *KINDS[1:])
    yield f"{'Method':<{width}}" + "".join(f"{head:>12}" for head in heads)
    for name, tally in result.methods.items():
        told = latency(tally)
        times = [time_text(told[each]) if told else "-" for each in ("p50", "p99", "max")]
        cells = [f"{tally.calls:,}", f"{result.rate(tally):,.1f}", *times, *(f"{count:,}" for count in tally.kinds[1:])]
        yield f"{name:<{width}}" + "".join(f"{cell:>12}" for cell in cells)


def figure(name: str, value: float) -> str:
    """A figure of a comparison."""
    if name == "rate":
        return f"{value:,.1f}/s"
    return f"{value:.3%}" if name == "errors" else time_text(value)


def change_text(change: Change) -> str:
    """One figure before and after."""
    share = "" if change.share is None else f"{change.share:+.1%}"
    before, after = figure(change.name, change.before), figure(change.name, change.after)
    return f"  {change.name:<7}{before:>13}  ->{after:>13}  {share:>9}"
