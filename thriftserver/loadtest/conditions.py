"""Conditions under which a load test has failed: ``p99>5ms, errors>0.1%, rate<1000, p50>+10%``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import Final, NamedTuple

from thriftserver.closest import closest
from thriftserver.errors import ConfigError
from thriftserver.loadtest.result import Result
from thriftserver.loadtest.tally import DECLARED, REFUSED, UNANSWERED
from thriftserver.quantities import duration

#: What ``thriftserver bench`` ends with where a condition is met.
FAILED = 8

_SIGNS: Final[dict[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
}
#: What conditions may be about, but for quantiles, by the kind of number that they are held against.
_TIMES: Final = ("min", "mean", "max")
_COUNTS: Final = ("calls", "errors", "exceptions", "refused", "unanswered")
_NAMES: Final = ("p99", *_TIMES, *_COUNTS, "rate")
_SHORT: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(us|µs)")


class Condition(NamedTuple):
    """``bound`` is in seconds of a time; it may be ``relative``: a share of all ``calls``, or of what it ``was``."""

    text: str
    name: str
    sign: str
    bound: float
    relative: str = ""

    def met(self, result: Result, before: Result | None) -> str:
        """What there is to be told where it is met; empty where it is not. ``before`` is what a change is one from."""
        value = measured(result, self.name)
        if value is None:  # no call has come to its end, so that no time is below or above any other
            return f"{self.text}: no call has been answered" if self.name not in (*_COUNTS, "rate") else ""
        bound = self.bound
        if self.relative == "calls":
            bound *= result.total.calls
        elif self.relative == "was":
            assert before is not None
            was = measured(before, self.name)
            if was is None:
                return ""
            bound = was * (1 + bound)
        if not _SIGNS[self.sign](value, bound):
            return ""
        return f"{self.text}: it is {self._shown(value, result)}"

    def _shown(self, value: float, result: Result) -> str:
        if self.name in _COUNTS:
            calls = result.total.calls
            return f"{value:,.0f} of {calls:,}" + (f", {value / calls:.3%}" if calls else "")
        if self.name == "rate":
            return f"{value:,.1f}/s"
        return time_text(value)


def measured(result: Result, name: str) -> float | None:
    """The number of this name: seconds of a time, of which there is none without calls; calls, or calls per second."""
    total = result.total
    if name == "rate":
        return result.rate(total)
    if name in _COUNTS:
        kinds = total.kinds
        exceptions, refused, unanswered = kinds[DECLARED], kinds[REFUSED], kinds[UNANSWERED]
        return (total.calls, total.errors, exceptions, refused, unanswered)[_COUNTS.index(name)]
    times = total.times
    if not times.count:
        return None
    if name in _TIMES:
        return (times.least, times.mean, times.greatest)[_TIMES.index(name)] / 1e9
    return times.quantile(float(name[1:]) / 100) / 1e9


def conditions(texts: tuple[str, ...]) -> list[Condition]:
    """Those of the texts, in each of which commas stand between them. Raises ConfigError."""
    return [_condition(each.strip()) for text in texts for each in text.split(",") if each.strip()]


def _condition(text: str) -> Condition:
    found = re.fullmatch(r"([a-z]+|p\d+(?:\.\d+)?)\s*([<>]=?)\s*(\S.*)", text)
    if found is None:
        raise ConfigError(f"--fail-if: {text!r} is no condition; write p99>5ms, errors>0.1%, rate<1000 or p50>+10%")
    name, sign, bound = found.groups()
    quantile = name[0] == "p" and name[1:2].isdigit()
    if not (quantile and float(name[1:]) <= 100) and name not in _NAMES:
        close = closest(name, _NAMES)
        known = f"did you mean {close!r}?" if close else f"there are p50, p99.9 and the like, {', '.join(_NAMES[1:])}"
        raise ConfigError(f"--fail-if: nothing is called {name!r}; {known}")
    try:
        if change := re.fullmatch(r"([+-]\d+(?:\.\d+)?)\s*%", bound):
            return Condition(text, name, sign, float(change[1]) / 100, "was")
        if name not in (*_COUNTS, "rate"):
            return Condition(text, name, sign, _seconds(bound))
        if name in _COUNTS and bound.endswith("%"):
            return Condition(text, name, sign, float(bound[:-1]) / 100, "calls")
        return Condition(text, name, sign, float(bound))
    except ValueError:
        form = (
            "a number" if name == "rate" else "a number or a share (0.1%)" if name in _COUNTS else "a time (5ms, 200us)"
        )
        raise ConfigError(f"--fail-if: {text!r}: {name} is held against {form}, or a change (+10%)") from None


def _seconds(text: str) -> float:
    short = _SHORT.fullmatch(text)
    return float(short[1]) / 1e6 if short else duration(text)


def time_text(seconds: float) -> str:
    """A time in the unit that suits it, with three digits."""
    for size, unit in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= size * 0.9995:
            return f"{_three(seconds / size)} {unit}"
    return f"{_three(seconds * 1e6)} us"


def _three(number: float) -> str:
    return f"{number:.0f}" if number >= 99.95 else f"{number:.1f}" if number >= 9.995 else f"{number:.2f}"
