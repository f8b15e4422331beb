"""What a result is made of and shown as: rows, conditions, comparisons, a page."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from thriftserver.errors import ConfigError
from thriftserver.loadtest.comparison import changes
from thriftserver.loadtest.conditions import conditions, time_text
from thriftserver.loadtest.gathering import Gathered, Second
from thriftserver.loadtest.histogram import Histogram
from thriftserver.loadtest.page import page
from thriftserver.loadtest.plots import linear, logarithmic
from thriftserver.loadtest.result import Result, read
from thriftserver.loadtest.shown import bars, summary
from thriftserver.loadtest.tally import OTHERS, REFUSED, RESULT, TEXTS, Tally

HOSTILE = "<script>alert(1)</script>\x1b[2J"
MS = 1_000_000


def tally(*milliseconds: float, refused: int = 0, text: str = HOSTILE) -> Tally:
    made = Tally()
    for each in milliseconds:
        made.kinds[RESULT] += 1
        made.times.record(int(each * MS))
    for _ in range(refused):
        made.kinds[REFUSED] += 1
        made.wrong(REFUSED, text)
    return made


def result(*milliseconds: float, refused: int = 0, methods: int = 1) -> Result:
    load = {"methods": {"add": 1}, "connections": 1, "rate": None, "tls": False}
    about = {"address": HOSTILE, "dialect": "framed-binary", "begun": "2026-01-01T00:00:00+00:00", "load": load}
    generator = {"cpu": 0.5, "late": 0, "waited": 0, "lost": 0, "stopped": False}
    seconds = [Second(number, 100 + number, number % 2, MS, 2 * MS, 3 * MS) for number in range(1200)]
    every = {f"m{number}": tally(*milliseconds, refused=refused) for number in range(methods)}
    return Result(about, 10.0, every, seconds, generator)


def test_rows_have_all_calls_and_are_few() -> None:
    for values in ([1], [1, 10**6], [10**9] * 5, [*range(1, 10**6, 997)], [1, 10**12]):
        times = Histogram()
        for value in values:
            times.record(value)
        rows = bars(times)
        assert sum(row.calls for row in rows) == len(values)
        assert 1 <= len(rows) <= 16
        assert rows[0].calls
        assert rows[-1].calls
        assert rows[0].low <= min(values)
        assert rows[-1].high > max(values) * 0.99
    assert bars(Histogram()) == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.00 us"),
        (1.234e-6, "1.23 us"),
        (0.000999, "999 us"),
        (0.0009999, "1.00 ms"),
        (0.0999, "99.9 ms"),
        (75, "75.0 s"),
    ],
)
def test_times(seconds: float, text: str) -> None:
    assert time_text(seconds) == text


@pytest.mark.parametrize(
    ("text", "met"),
    [
        ("p50>49ms", True),
        ("p50>51ms", False),
        ("p99.9>=99ms", True),
        ("mean<50ms", False),
        ("mean<0.051", True),
        ("min<=1ms", True),
        ("max>99500us", True),
        ("errors>0.05", True),
        ("errors>5", True),
        ("errors>9.2%", False),
        ("errors>9%", True),
        ("refused>=10", True),
        ("exceptions>0", False),
        ("unanswered>0%", False),
        ("calls<111", True),
        ("rate<11", False),
        ("rate<=11", True),
        ("p50>+24%", True),
        ("p50>+26%", False),
        ("rate<-5%", False),
    ],
)
def test_conditions(text: str, met: bool) -> None:
    (condition,) = conditions((text,))
    before = result(*[each * 0.8 for each in range(1, 101)], refused=10)
    assert bool(condition.met(result(*range(1, 101), refused=10), before)) == met


def test_a_time_of_no_call_fails() -> None:
    nothing = result()
    (late, wrong) = conditions(("p99>1s,errors>0",))
    assert late.met(nothing, None) == "p99>1s: no call has been answered"
    assert wrong.met(nothing, None) == ""


def test_what_has_changed() -> None:
    before, after = result(*range(1, 101)), result(*[each * 2 for each in range(1, 101)], refused=10)
    found = {each.name: each for each in changes(before, after)}
    assert found["p50"].verdict == found["mean"].verdict == found["errors"].verdict == "worse"
    assert found["rate"].verdict == "better"
    assert found["p99"].verdict == found["max"].verdict == ""  # one call decides about them
    back = {each.name: each.verdict for each in changes(after, before)}
    assert (back["p50"], back["rate"], back["errors"]) == ("better", "worse", "better")


def test_a_file_is_the_same_again(tmp_path: Path) -> None:
    made = result(*range(1, 50), refused=2, methods=2)
    (tmp_path / "old.json").write_text(json.dumps(made.plain()))
    again = read(str(tmp_path / "old.json"))
    assert again.plain() == made.plain()
    for damage in ('{"methods": {}}', '{"methods": {"a": 1}}', "[" * 100_000):
        (tmp_path / "old.json").write_text(damage)
        with pytest.raises(ConfigError, match="thriftserver bench --json"):
            read(str(tmp_path / "old.json"))


def test_texts_of_errors_are_bounded() -> None:
    made = Tally()
    for number in range(1000):
        made.wrong(REFUSED, f"no {number}: {'x' * 1000}")
    assert len(made.wrongs) == TEXTS + 1
    assert made.wrongs[REFUSED, OTHERS] == 1000 - TEXTS
    assert max(len(text) for _, text in made.wrongs) <= 300


def test_seconds_are_complete_when_all_have_told() -> None:
    gathered = Gathered(["add"], 2)
    data = [tally(1, 2).plain()]
    assert [gathered.take({"interval": number, "methods": data}) for number in (0, 1, 0, 1)] == [
        False,
        False,
        True,
        True,
    ]
    assert [(each.number, each.calls) for each in gathered.seconds] == [(0, 4), (1, 4)]
    gathered.take({"interval": 2, "methods": data})
    gathered.finish()
    assert [each.calls for each in gathered.seconds] == [4, 4, 2]
    assert gathered.total.calls == 10


def test_the_summary_tells_methods_and_errors() -> None:
    lines = list(summary(result(*range(1, 20), refused=3, methods=2)))
    assert lines[0] == "44 calls in 10.00 s, 4.4/s"
    assert lines[1] == "  38 results, 6 refused"
    assert any(line.startswith("m1") for line in lines)
    assert any("m0: refused: <script>" in line for line in lines)
    assert "  no call has been answered" in list(summary(result()))


class Links(HTMLParser):
    """What a page would load, and tags that are open at its end."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "img", "iframe"):
            self.loads.append(tag)
        self.loads += [name for name, _ in attrs if name in ("src", "href")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_alone() -> None:
    before = result(*range(1, 300))
    for each in (page(result(*range(1, 200), refused=3, methods=3), before), page(result()), page(result(5))):
        links = Links()
        links.feed(each)
        assert (links.loads, links.open) == ([], [])
        assert "url(" not in each
        assert "http" not in each
        assert len(each) < 200_000
        numbers = [float(number) for path in re.findall(r' d="M([^"HV]*)"', each) for number in path.split()]
        assert all(0 <= number <= 1000 for number in numbers)


def test_marks_are_round() -> None:
    assert [text for _, text in linear(870, lambda value: f"{value:g}").marks] == ["0", "500", "1000"]
    assert [value for value, _ in logarithmic(0.002, 0.3, str).marks] == [0.001, 0.01, 0.1, 1.0]
    scale = logarithmic(0.002, 0.3, str)
    assert scale.place(0.001) == 0
    assert scale.place(1.0) == 1
