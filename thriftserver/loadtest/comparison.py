"""Two load tests beside each other: what has become better or worse."""

from __future__ import annotations

from typing import NamedTuple

from thriftserver.loadtest.conditions import measured
from thriftserver.loadtest.result import QUANTILES, Result

#: Changes that are less than that are none: two tests of one server differ by as much.
NOISE = 0.05
#: Calls beyond a quantile, below which it is chance that decides about it.
FEW = 10
#: Of it, more is better; of all others less is.
_RATE = "rate"


class Change(NamedTuple):
    """A figure by its name, in seconds where it is a time. ``verdict`` is ``better``, ``worse``, or empty."""

    name: str
    before: float
    after: float
    verdict: str

    @property
    def share(self) -> float | None:
        """How much more it is than before, as a share of that; None where there was nothing."""
        return self.after / self.before - 1 if self.before else None

    def plain(self) -> dict[str, object]:
        """As JSON data."""
        share = None if self.share is None else round(self.share, 4)
        return {"name": self.name, "before": self.before, "after": self.after, "change": share, "verdict": self.verdict}


def changes(before: Result, after: Result) -> list[Change]:
    """Rate, errors and durations. Errors are a share of calls."""
    found = []
    for name in (_RATE, "errors", "mean", *QUANTILES, "max"):
        was, is_now = measured(before, name), measured(after, name)
        if was is None or is_now is None:
            continue
        if name == "errors":
            was, is_now = was / max(before.total.calls, 1), is_now / max(after.total.calls, 1)
        telling = name != "max" and _beyond(name, min(before.total.times.count, after.total.times.count)) >= FEW
        found.append(Change(name, was, is_now, _verdict(name, was, is_now) if telling else ""))
    return found


def _beyond(name: str, calls: int) -> float:
    return calls * (1 - QUANTILES[name]) if name in QUANTILES else FEW


def _verdict(name: str, before: float, after: float) -> str:
    if abs(after - before) <= NOISE * before:
        return ""
    return "better" if (after > before) == (name == _RATE) else "worse"


def unlike(before: Result, after: Result) -> list[str]:
    """Why the two are hardly to be compared: what was done differently."""
    one = {**before.about["load"], "dialect": before.about["dialect"]}
    other = {**after.about["load"], "dialect": after.about["dialect"]}
    return [
        f"{name}: {word(one.get(name))} then, {word(other.get(name))} now"
        for name in {**one, **other}
        if one.get(name) != other.get(name)
    ]


def word(value: object) -> str:
    """One of the things that were done, as people say it."""
    if isinstance(value, dict):
        return ", ".join(f"{name}={each}" for name, each in value.items())
    if value is None or isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
