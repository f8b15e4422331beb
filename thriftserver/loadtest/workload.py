"""What is called: methods, how often each is, and with what arguments."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from thriftserver.calling.methods import Meant
from thriftserver.codec.plan import MethodPlan, method_plan
from thriftserver.errors import ConfigError
from thriftserver.samples.values import Sampler

#: Different arguments that are made up for a method.
SAMPLES = 100
#: The largest sum of weights, reduced as far as they go: within so many calls each method has its share exactly.
MOST = 100_000


class Load(NamedTuple):
    """A method, how often it is called for what others are, and its arguments in turn, in the order of the IDL."""

    meant: Meant
    weight: int
    rows: Sequence[Sequence[Any]]


class Step(NamedTuple):
    """One call to be made: the method, by its place among all, and its arguments."""

    method: int
    plan: MethodPlan
    args: Sequence[Any]


class Workload:
    """Methods in the mix that their weights say. ``called`` are their names on the wire."""

    def __init__(self, loads: Sequence[Load], seed: int) -> None:
        self.loads = tuple(loads)
        self.called = tuple(each.meant.called for each in loads)
        self.seed = seed
        self._plans = [method_plan(each.meant.function) for each in loads]
        divisor = math.gcd(*(each.weight for each in loads))
        self.weights = [each.weight // divisor for each in loads]
        if sum(self.weights) > MOST:
            raise ConfigError(f"weights are too fine: together they may be {MOST:,}, reduced as far as they go")

    def names(self) -> dict[MethodPlan, str]:
        """What each method is called on the wire."""
        return dict(zip(self._plans, self.called, strict=True))

    def steps(self, part: int, parts: int) -> Iterator[Step]:
        """Calls without an end, for one of so many who make them beside each other: they begin at different ones.

        The order of methods is one of chance that the seed decides, the same again and again.
        """
        order = [place for place, weight in enumerate(self.weights) for _ in range(weight)]
        random.Random(self.seed + part).shuffle(order)
        rows = [
            itertools.cycle([Step(place, plan, row) for row in _turned(load.rows, part, parts)])
            for place, (load, plan) in enumerate(zip(self.loads, self._plans, strict=True))
        ]
        if len(rows) == 1:
            return rows[0]
        return (next(rows[place]) for place in itertools.cycle(order))


def made_up(meant: Meant, seed: int) -> list[list[Any]]:
    """Arguments for a method of which nobody has said any. Raises ConfigError where there can be none."""
    sampler = Sampler(f"{seed}/{meant.service.name}.{meant.function.name}")
    return [sampler.arguments(meant.function) for _ in range(SAMPLES if meant.function.args else 1)]


def _turned(rows: Sequence[Sequence[Any]], part: int, parts: int) -> Sequence[Sequence[Any]]:
    begin = len(rows) * part // parts
    return [*rows[begin:], *rows[:begin]]
