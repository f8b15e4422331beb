"""A load test's result as one page of HTML, which loads nothing from anywhere."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape
from importlib.resources import files
from typing import Final

from thriftserver.loadtest.comparison import Change, changes, unlike, word
from thriftserver.loadtest.conditions import time_text
from thriftserver.loadtest.gathering import Second
from thriftserver.loadtest.plots import Line, Scale, linear, logarithmic, plot, spanning
from thriftserver.loadtest.result import Result, errors_of, latency
from thriftserver.loadtest.shown import bars, figure, outcomes
from thriftserver.loadtest.tally import KINDS

#: Points that a line over time has at most; of more seconds, several are one.
_POINTS: Final = 500
#: Shares at which the durations of a distribution are drawn: each halves what is left.
_SHARES: Final = tuple(1 - 2 ** (-step / 4) for step in range(4 * 17 + 1))
#: Those that have a mark.
_MARKS: Final = (0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999)
#: Lines of durations over time, and what they take of a second.
_TIMES: Final[tuple[tuple[str, str, Callable[[Second], float]], ...]] = (
    ("longest", "max", lambda each: each.greatest),
    ("p99", "p99", lambda each: each.p99),
    ("median", "p50", lambda each: each.p50),
)


def page(result: Result, before: Result | None = None) -> str:
    """The whole page; ``before`` is what the result is compared with."""
    compared = changes(before, result) if before else []
    body = "".join(
        (
            *_head(result),
            *_tiles(result, compared),
            '<div class="two">',
            *_durations(result),
            *_quantiles(result, before),
            *_over_time(result.seconds),
            "</div>",
            *_methods(result),
            *_errors(result),
            *_compared(result, before, compared),
            *_terms(result),
        )
    )
    style = files("thriftserver.loadtest").joinpath("page.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Load test of {_text(result.about['address'])}</title><style>\n{style}</style></head>\n"
        f"<body>{body}</body></html>\n"
    )


def _text(value: object) -> str:
    """What a stranger may have said, with nothing in it that is markup."""
    return escape(str(value))


def _head(result: Result) -> Iterator[str]:
    about = result.about
    yield f"<header><h1>Load test of {_text(about['address'])}</h1>"
    yield f'<p class="faint">{_text(", ".join(result.methods))} in {_text(about["dialect"])}, '
    yield f"{_text(about['begun'])}</p></header>"
    for note in result.notes():
        yield f'<p class="note">{_text(note[:1].upper() + note[1:])}.</p>'


def _tiles(result: Result, compared: Sequence[Change]) -> Iterator[str]:
    total = result.total
    told = latency(total)
    shares = {each.name: each for each in compared}
    values = {"rate": ("Calls per second", f"{result.rate(total):,.1f}")}
    values |= {
        name: (title, time_text(told[name]))
        for name, title in (("p50", "Median"), ("p99", "p99"), ("max", "Longest"))
        if name in told
    }
    share = total.errors / total.calls if total.calls else 0.0
    values["errors"] = ("Errors", f"{share:.3%}" if total.errors else "none")
    yield '<dl class="tiles">'
    for name, (title, value) in values.items():
        bad = ' class="worse"' if name == "errors" and total.errors else ""
        yield f"<div><dt>{title}</dt><dd{bad}>{value}</dd>{_delta(shares.get(name))}</div>"
    yield f'</dl><p class="faint">{total.calls:,} calls in {result.elapsed:.2f} s: {", ".join(outcomes(total))}</p>'


def _delta(change: Change | None) -> str:
    if change is None or change.share is None:
        return ""
    return f'<dd class="delta {change.verdict}">{change.share:+.1%}</dd>'


def _durations(result: Result) -> Iterator[str]:
    """How many calls took how long."""
    rows = bars(result.total.times)
    if not rows:
        return
    most = max(row.calls for row in rows)
    yield '<figure><figcaption><h2>How long calls took</h2></figcaption><table class="bars">'
    for row in rows:
        width = f"{row.calls / most:.2%}"
        yield (
            f"<tr><th>{time_text(row.low / 1e9)} to {time_text(row.high / 1e9)}</th>"
            f'<td><i style="width:{width}"></i></td><td class="number">{row.calls:,}</td></tr>'
        )
    yield "</table></figure>"


def _quantiles(result: Result, before: Result | None) -> Iterator[str]:
    """Durations by the share of calls that do not exceed them, of which the last ones have the most room."""
    both = [("now", "p99", result)] + ([("before", "old", before)] if before else [])
    times = [each.total.times for _, _, each in both]
    if not all(each.count for each in times):
        return
    last = max(place for place, share in enumerate(_SHARES) if max(each.count for each in times) * (1 - share) >= 0.5)
    lines = [
        Line(
            name,
            style,
            [
                (place, each.total.times.quantile(share) / 1e9)
                for place, share in enumerate(_SHARES[: last + 1])
                if each.total.times.count * (1 - share) >= 0.5
            ],
        )
        for name, style, each in both
    ]
    marks = [(place, f"{share * 100:.6g} %") for share in _MARKS if (place := _place(share)) <= last]
    across = Scale(lambda value: value / (last or 1), marks)
    yield plot("Latency by share of calls", lines, across, _time_scale(lines), "as fast, or faster")


def _place(share: float) -> float:
    """Where among ``_SHARES`` a share is."""
    return -4 * math.log2(1 - share)


def _time_scale(lines: Sequence[Line]) -> Scale:
    values = [up for line in lines for _, up in line.points if up > 0]
    return logarithmic(min(values), max(values), time_text)


def _over_time(seconds: Sequence[Second]) -> Iterator[str]:
    """Calls and their durations as the test went on."""
    if len(seconds) < 2:
        return
    seconds = seconds[:-1] if seconds[-1].calls < seconds[-2].calls / 2 else seconds  # the last one is hardly whole
    step = -(-len(seconds) // _POINTS)
    groups = [seconds[at : at + step] for at in range(0, len(seconds), step)]
    ends = [group[0].number + len(group) for group in groups]
    across = spanning(ends[-1], lambda value: f"{value:.6g} s")
    rates = [(end, sum(each.calls for each in group) / len(group)) for end, group in zip(ends, groups, strict=True)]
    wrong = [(end, sum(each.errors for each in group) / len(group)) for end, group in zip(ends, groups, strict=True)]
    lines = [Line("calls", "rate", rates)]
    if any(each for _, each in wrong):
        lines.append(Line("errors", "fail", wrong))
    yield plot("Calls per second", lines, across, linear(max(up for _, up in rates), lambda value: f"{value:,.6g}"))
    timed = [(end, [each for each in group if each.greatest]) for end, group in zip(ends, groups, strict=True)]
    times = [
        Line(name, style, [(end, max(of(each) for each in group) / 1e9) for end, group in timed if group])
        for name, style, of in _TIMES
    ]
    if times[0].points:
        yield plot("Latency over time", times, across, _time_scale(times))


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> str:
    """The first ``texts`` columns are texts, all others numbers. Cells are HTML."""
    style = ["" if place < texts else ' class="number"' for place in range(len(heads))]
    head = "".join(f"<th{kind}>{each}</th>" for kind, each in zip(style, heads, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{each}</td>" for kind, each in zip(style, row, strict=True)) + "</tr>"
        for row in rows
    )
    return (
        f'<section><h2>{title}</h2><div class="wide" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div></section>"
    )


def _methods(result: Result) -> Iterator[str]:
    names = ("min", "mean", "p50", "p90", "p99", "p99.9", "max")
    rows = []
    for name, tally in result.methods.items():
        told = latency(tally)
        times = [time_text(told[each]) if told else "" for each in names]
        counts = [f"{count:,}" for count in tally.kinds]
        rows.append([_text(name), f"{tally.calls:,}", f"{result.rate(tally):,.1f}", *times, *counts[1:]])
    yield _table("Methods", ["method", "calls", "calls/s", *names, *KINDS[1:]], rows)


def _errors(result: Result) -> Iterator[str]:
    rows = [
        [_text(name), outcome, _text(text), f"{count:,}"] for name, outcome, text, count in errors_of(result.methods)
    ]
    if rows:
        yield _table("What was no result", ["method", "outcome", "what was said", "calls"], rows, 3)


def _compared(result: Result, before: Result | None, compared: Sequence[Change]) -> Iterator[str]:
    if before is None:
        return
    rows = []
    for each in compared:
        share = "" if each.share is None else f"{each.share:+.1%}"
        verdict = f'<span class="{each.verdict}">{each.verdict}</span>' if each.verdict else ""
        rows.append([each.name, verdict, figure(each.name, each.before), figure(each.name, each.after), share])
    title = f"Compared with {_text(before.about['begun'])}"
    yield _table(title, ["", "", "before", "now", "change"], rows, 2)
    if told := unlike(before, result):
        yield f'<p class="note">Not the same was done: {_text("; ".join(told))}.</p>'


def _terms(result: Result) -> Iterator[str]:
    told = result.about["load"].items()
    rows = [[_text(name), _text(word(value))] for name, value in told if value is not None]
    yield _table("What was done", ["", ""], rows, 2)
