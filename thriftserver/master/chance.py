"""How likely chance alone is to bring about what was counted: exact tails of two distributions.

Arithmetic only: it knows no call and no release. Everything is one-sided, "so many or more".
"""

from __future__ import annotations

from collections.abc import Callable
from math import exp, lgamma, log

#: What is left of a sum when its terms are so much smaller than it.
_NEGLIGIBLE = 1e-18
#: Terms that are added one by one. What follows is less than a geometric series, which stands for it: whoever makes up
#: numbers of twenty digits keeps nobody busy, and makes nothing look less likely than it is.
_TERMS = 10_000


def fisher(bad: int, good: int, other_bad: int, other_good: int) -> float:
    """Fisher's exact test: the chance that of all that is bad so much, or more, falls on the first of two sides.

    If both sides are alike, ``bad`` is hypergeometric, whatever they have in common. 1.0 for no more than its share.
    """
    drawn, marked = bad + good, bad + other_bad
    total = drawn + other_bad + other_good
    if bad * total <= drawn * marked:
        return 1.0
    rest = total - marked - drawn
    first = _exp(_choose(marked, bad) + _choose(total - marked, good) - _choose(total, drawn))
    return _tail(first, bad, min(drawn, marked), lambda n: (marked - n) / (n + 1) * ((drawn - n) / (rest + n + 1)))


def binomial(successes: int, trials: int, chance: float) -> float:
    """The chance of so many successes, or more. 1.0 for no more than are expected; ``chance`` is above 0, below 1."""
    if successes <= trials * chance:
        return 1.0
    first = _exp(_choose(trials, successes) + successes * log(chance) + (trials - successes) * log(1 - chance))
    odds = chance / (1 - chance)
    return _tail(first, successes, trials, lambda n: (trials - n) / (n + 1) * odds)


def _tail(term: float, first: int, last: int, ratio: Callable[[int], float]) -> float:
    """The sum of a term and those after it; ``ratio`` is the next one to one, below 1 and falling above the mean."""
    result = 0.0
    for count in range(first, min(last + 1, first + _TERMS)):
        result += term
        term *= ratio(count)
        if term <= result * _NEGLIGIBLE:
            return min(result, 1.0)
    if first + _TERMS <= last:
        fall = 1.0 - ratio(first + _TERMS)
        result += term / fall if fall > 0 else 1.0
    return min(result, 1.0)


def _choose(total: int, part: int) -> float:
    """The logarithm of the binomial coefficient."""
    return lgamma(total + 1) - lgamma(part + 1) - lgamma(total - part + 1)


def _exp(logarithm: float) -> float:
    """Of a chance: at most 1, however little is left of the digits of very large numbers."""
    return exp(min(logarithm, 0.0))
