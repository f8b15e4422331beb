"""docs/hbase.md, scribe.md and spans.md, followed with the clients that other systems have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.docs.pages import blocks
from tests.docs.reader import Reader
from tests.support import NODE_MODULES, ROOT, need_node


@pytest.mark.parametrize(
    ("page", "said"),
    [
        ("hbase.md", ["9780262033848 Introduction to Algorithms\n"]),
        ("scribe.md", ["0 2\n"]),
        ("spans.md", ['"name": "pay"', '"coins": "3"']),
    ],
)
def test_commands_work_as_they_are_pasted(
    page: str, said: list[str], clone: Path, elsewhere: Callable[[str], str], installed: dict[str, str]
) -> None:
    if page == "spans.md":
        need_node("zipkin-transport-scribe")

    def change(text: str) -> str:
        at = " --bind 127.0.0.1:9090\n" if "thriftserver run " in text and "--bind" not in text else "\n"
        return elsewhere(text.rstrip("\n") + at)

    with Reader(clone, installed | {"NODE_PATH": str(NODE_MODULES)}, change) as reader:
        reader.follow(blocks(ROOT / "docs" / page))
        heard = [each for each in reader.said if each]
        assert all(text in answer for text, answer in zip(said, heard, strict=True))
