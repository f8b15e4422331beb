"""docs/tools.md: each command as it is pasted, and what the page says that it prints."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tests.docs.pages import PAGES, Block, blocks
from tests.docs.reader import Reader, serves
from thriftserver.calling.attempt import CODES

(PAGE,) = (page for page in PAGES if page.name == "tools.md")


def transcripts() -> list[tuple[Block, str]]:
    """Commands, each with what stands below it as its output; empty for one that does not end."""
    shown = [block for block in blocks(PAGE) if block.language in ("sh", "")]
    pairs = []
    for block, following in zip(shown, [*shown[1:], None], strict=True):
        if block.language == "sh":
            pairs.append((block, following.text if following is not None and not following.language else ""))
    return pairs


def steady(text: str) -> str:
    """Without what differs from run to run: times, ports of clients, and the version."""
    text = re.sub(r"\b\d\d:\d\d:\d\d\.\d{3}\b", "#", text)
    text = re.sub(r"(?<=\d ms )127[\d.]+:\d+", "#", text)
    text = re.sub(r"(^ +[\d.]+ [mu]?s - .*\n)+", "# rows\n", text, flags=re.MULTILINE)
    text = re.sub(r" +[\d.]+ [mu]?s\b| +[\d,]+\.\d\b| +[+-][\d.]+%| +(better|worse)$", " #", text, flags=re.MULTILINE)
    text = re.sub(r"( #)+$|\d{4}-\d\d-\d\dT\S+", " #", text, flags=re.MULTILINE)
    return re.sub(r'(?<="seconds": )[\d.e-]+|(?<=thriftserver )\d[\w.]*', "#", text)


def test_the_page(clone: Path, elsewhere: Callable[[str], str], installed: dict[str, str]) -> None:
    def change(text: str) -> str:
        text = elsewhere(text)
        if serves(text):
            return text if "--bind" in text else text.rstrip("\n") + elsewhere(" --bind 127.0.0.1:9090\n")
        return f"{{\n{text}}} 2>&1\n"

    expected = [elsewhere(output) for block, output in transcripts() if not serves(block.text)]
    with Reader(clone, installed, change) as reader:
        reader.follow(block for block, _ in transcripts())
    assert [steady(said) for said in reader.said] == [steady(output) for output in expected]
    assert all(expected)


def test_every_section_has_a_transcript() -> None:
    sections = set(re.findall(r"^## (.+)$", PAGE.read_text(), re.MULTILINE))
    assert {block.section for block, output in transcripts() if output} == sections - {"Reflection"}


def test_the_page_names_outcomes_and_codes() -> None:
    text = PAGE.read_text()
    for kind, code in CODES.items():
        assert f"`{kind}`" in text
        assert re.search(rf"^\| {code} \| ", text, re.MULTILINE)
