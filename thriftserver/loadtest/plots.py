"""Plots as HTML and SVG that fit whatever width they have: lines are stretched, texts are not."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

#: Units of a plot's drawing in each direction.
_WIDTH, _HEIGHT = 1000, 300

Point = tuple[float, float]


class Line(NamedTuple):
    """``style`` is the class that colours it. A plot has room for some hundred points."""

    name: str
    style: str
    points: Sequence[Point]


class Scale(NamedTuple):
    """Where numbers are on an axis, 0 to 1, and at which of them it has marks."""

    place: Callable[[float], float]
    marks: Sequence[tuple[float, str]]


def linear(most: float, text: Callable[[float], str], whole: bool = False) -> Scale:
    """From 0 on, with up to six marks at round numbers."""
    step = _round((most or 1.0) / 4)
    if whole:
        step = max(step, 1.0)
    top = max(math.ceil((most or 1.0) / step - 1e-9), 1) * step
    marks = [(step * number, text(step * number)) for number in range(round(top / step) + 1)]
    return Scale(lambda value: value / top, marks)


def spanning(most: float, text: Callable[[float], str]) -> Scale:
    """From 0 to exactly so much, with marks at round numbers, as time goes."""
    step = max(_round((most or 1.0) / 5), 1.0)
    marks = [(step * number, text(step * number)) for number in range(int(most / step + 1e-9) + 1)]
    return Scale(lambda value: value / (most or 1.0), marks)


def logarithmic(least: float, most: float, text: Callable[[float], str]) -> Scale:
    """Powers of ten between two numbers above 0, and 2 and 5 in between where there are few."""
    low = math.floor(math.log10(least))
    high = max(math.ceil(math.log10(most)), low + 1)
    steps = (1, 2, 5) if high - low <= 2 else (1,)
    values = [step * 10.0**power for power in range(low, high) for step in steps]
    marks = [(value, text(value)) for value in [*values, 10.0**high]]
    return Scale(lambda value: (math.log10(max(value, 10.0**low)) - low) / (high - low), marks)


def _round(number: float) -> float:
    """The nearest of 1, 2 and 5 with any number of zeros that is not less."""
    power = 10.0 ** math.floor(math.log10(number))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= number * (1 - 1e-9))


def plot(title: str, lines: Sequence[Line], x: Scale, y: Scale, x_name: str = "") -> str:
    """A figure with its legend; the title says what is drawn, in which unit."""
    drawn = [line for line in lines if line.points]
    legend = "".join(f'<li class="{line.style}">{escape(line.name)}</li>' for line in drawn) if len(drawn) > 1 else ""
    marks = [("x", "left", x, *mark) for mark in x.marks] + [("y", "bottom", y, *mark) for mark in y.marks]
    texts = "".join(
        f'<span class="{axis}" style="{side}:{scale.place(value):.2%}">{escape(text)}</span>'
        for axis, side, scale, value, text in marks
    )
    grid = "".join(f'<path class="grid" d="M0 {_y(y, value):.1f}H{_WIDTH}"/>' for value, _ in y.marks)
    paths = "".join(_path(line, x, y) for line in drawn)
    below = f'<p class="name">{escape(x_name)}</p>' if x_name else ""
    return (
        f"<figure><figcaption><h2>{escape(title)}</h2>{f'<ul>{legend}</ul>' if legend else ''}</figcaption>"
        f'<div class="plot">{texts}<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(title)}">{grid}{paths}</svg></div>{below}</figure>'
    )


def _path(line: Line, x: Scale, y: Scale) -> str:
    points = [(x.place(across) * _WIDTH, _y(y, up)) for across, up in line.points]
    if len(points) == 1:  # a dot would be stretched
        points = [(0.0, points[0][1]), (float(_WIDTH), points[0][1])]
    steps = " ".join(f"{across:.1f} {up:.1f}" for across, up in points)
    return f'<path class="line {line.style}" d="M{steps}"/>'


def _y(scale: Scale, value: float) -> float:
    return (1 - min(max(scale.place(value), 0.0), 1.0)) * _HEIGHT
