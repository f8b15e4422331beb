"""docs/hbase.md, scribe.md and spans.md, followed with the clients that other systems have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.pages import blocks
from tests.docs.reader import Reader
from tests.support import ROOT


@pytest.mark.parametrize(
    ("page", "said"),
    [("hbase.md", "9780262033848 Introduction to Algorithms\n"), ("scribe.md", "0 2\n"), ("spans.md", '"name": "pay"')],
)
def test_commands_work_as_they_are_pasted(
    page: str, said: str, clone: Path, elsewhere: Callable[[str], str], installed: dict[str, str]
) -> None:
    def change(text: str) -> str:
        at = " --bind 127.0.0.1:9090\n" if "thriftserver run " in text and "--bind" not in text else "\n"
        return elsewhere(text.rstrip("\n") + at)

    with Reader(clone, installed, change) as reader:
        reader.follow(blocks(ROOT / "docs" / page))
        assert said in reader.said[-1]
