"""How likely chance alone is to bring about what was counted: exact tails of two distributions.

Arithmetic only: it knows no call and no release. Everything is one-sided, "so many or more".
"""

from __future__ import annotations

from math import exp, lgamma, log

#: What is left of a sum when its terms are so much smaller than it.
_NEGLIGIBLE = 1e-18


def fisher(bad: int, good: int, other_bad: int, other_good: int) -> float:
    """Fisher's exact test: the chance that of all that is bad so much, or more, falls on the first of two sides.

    If both sides are alike, ``bad`` is hypergeometric, whatever they have in common. 1.0 for no more than its share.
    """
    drawn, marked = bad + good, bad + other_bad
    total = drawn + other_bad + other_good
    if bad * total <= drawn * marked:
        return 1.0
    term = exp(_choose(marked, bad) + _choose(total - marked, good) - _choose(total, drawn))
    result = 0.0
    for count in range(bad, min(drawn, marked) + 1):
        result += term
        # The next term; above the mean they only become smaller.
        term *= (marked - count) * (drawn - count) / ((count + 1) * (total - marked - drawn + count + 1))
        if term < result * _NEGLIGIBLE:
            break
    return min(result, 1.0)


def binomial(successes: int, trials: int, chance: float) -> float:
    """The chance of so many successes, or more. 1.0 for no more than are expected; ``chance`` is above 0, below 1."""
    if successes <= trials * chance:
        return 1.0
    term = exp(_choose(trials, successes) + successes * log(chance) + (trials - successes) * log(1 - chance))
    result = 0.0
    for count in range(successes, trials + 1):
        result += term
        term *= (trials - count) / (count + 1) * chance / (1 - chance)
        if term < result * _NEGLIGIBLE:
            break
    return min(result, 1.0)


def _choose(total: int, part: int) -> float:
    """The logarithm of the binomial coefficient."""
    return lgamma(total + 1) - lgamma(part + 1) - lgamma(total - part + 1)
