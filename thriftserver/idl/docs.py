"""Doc comments: the text of ``/** ... */`` without its markers and without the indentation its lines share.

It knows nothing of what the comment belongs to.
"""

from __future__ import annotations

import re
from itertools import takewhile

_STAR = re.compile(r"^[ \t]*\*(?!/)")


def clean(comment: str) -> str:
    """The text of a doc comment, given with its markers; lines are joined by ``\\n``."""
    first, *rest = comment[3:-2].replace("\r", "").split("\n")
    first = first.strip(" \t*")
    rest = [line.rstrip() for line in rest]
    if rest and not rest[-1].strip("* \t"):
        rest.pop()
    written = [line for line in rest if line.strip()]
    if written and all(_STAR.match(line) for line in written):
        rest = [_STAR.sub("", line) for line in rest]
    indents = [line[: len(line) - len(line.lstrip())] for line in rest if line.strip()]
    # All of them start with what the first and the last in order have in common.
    common = (
        sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(min(indents), max(indents), strict=False)))
        if indents
        else 0
    )
    lines = [first, *(line[common:] for line in rest)]
    while lines and not lines[0]:
        del lines[0]
    while lines and not lines[-1]:
        del lines[-1]
    return "\n".join(lines)
