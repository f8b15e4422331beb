"""The blocks of code in a page of docs, with the file that each is said to be; knows nothing of what they do.

Only the standard library: CI reads README.md with it before anything is installed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent.parent
README = _ROOT / "README.md"
PAGES = [README, *sorted((_ROOT / "docs").glob("*.md"))]

#: A line that announces a file: it begins with its name, or ends with it, and has a colon at its end.
_NAMED = re.compile(r"`([\w./-]+\.\w+)`.*:|.*`([\w./-]+\.\w+)`:")


@dataclass(frozen=True)
class Block:
    """``file`` is what the line before announces as one; ``section`` the heading it stands under."""

    page: str
    line: int
    language: str
    text: str
    file: str
    section: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """Every fenced block, in order."""
    file = section = fence = language = ""
    body: list[str] = []
    start = 0
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if fence:
            if line == fence:
                yield Block(page.name, start, language, "\n".join(body) + "\n", file, section)
                fence = file = ""
            else:
                body.append(line)
        elif opened := re.fullmatch(r"(```+)(\w*)", line):
            fence, language = opened.groups()
            body, start = [], number
        elif heading := re.fullmatch(r"#+ (.+)", line):
            section = heading[1]
        elif named := _NAMED.fullmatch(line):
            file = named[1] or named[2]
        elif line and not line.startswith("<!--"):
            file = ""
    assert not fence, f"{page}:{start}: a block without an end"


def prose(page: Path) -> Iterator[tuple[int, str]]:
    """The lines that are in no block, with their numbers."""
    inside = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            inside = not inside
        elif not inside:
            yield number, line
