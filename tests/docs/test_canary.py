"""docs/canary.md: a shop, its customers, and a release that is rolled back; and the figures that the page names."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tests.docs.pages import PAGES, blocks
from tests.docs.reader import Reader
from thriftserver.master.chance import binomial
from thriftserver.master.judgement import ALPHA, Pair, smallest_seen

(PAGE,) = (page for page in PAGES if page.name == "canary.md")


def test_a_bad_release_of_the_shop_is_rolled_back(
    tmp_path: Path, elsewhere: Callable[[str], str], installed: dict[str, str]
) -> None:
    with Reader(tmp_path, installed, lambda text: elsewhere(text).replace("reload ||", "reload 2>&1 ||")) as reader:
        reader.follow(block for block in blocks(PAGE) if block.file or block.language == "sh")
    said = reader.said[-1]
    shown = next(block.text for block in blocks(PAGE) if block.text.startswith("Error:"))
    assert re.sub(r"\d+ of \d+", "N of M", said) == re.sub(r"\d+ of \d+", "N of M", shown)


def test_its_figures_are_those_of_the_judge() -> None:
    text, threshold = PAGE.read_text(), ALPHA / 2 / 15
    rows = re.findall(r"^\| ([\d,]+) \| ([\d.]+) % \| ([\d.]+) % \| ([\d.]+) % \|$", text, re.MULTILINE)
    assert len(rows) == 4
    for calls, *shares in rows:
        new = int(calls.replace(",", ""))
        seen = [smallest_seen(Pair(new, others * new), threshold) for others in (1, 3, 7)]
        assert [round(100 * each, 4) for each in seen] == list(map(float, shares))
    for lost, held in ((26, 30), (38, 48)):
        assert f"{lost} of {held}" in text
        assert binomial(lost, held, 0.5) <= threshold < binomial(lost - 1, held, 0.5)
