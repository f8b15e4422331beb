"""The tables of docs/dialects.md, made of the server's own; ``python -m tests.docs.dialects`` rewrites them."""

from __future__ import annotations

import itertools
import re

from tests.interop import matrix
from tests.support import ROOT
from thriftserver.dialect.strangers import FRAMES, STREAMS, Stranger
from thriftserver.dialect.table import DIALECTS, Dialect

PAGE = ROOT / "docs" / "dialects.md"


def rendered(page: str) -> str:
    """The page with its tables as they should be."""
    tables = {"dialects": _dialects(), "strangers": _strangers(), "matrix": _matrix(page)}
    for name, lines in tables.items():
        begin, end = f"<!-- begin: {name} -->\n", f"<!-- end: {name} -->\n"
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        page = before + begin + "".join(f"{line}\n" for line in lines) + end + after
    return page


def _dialects() -> list[str]:
    rows = [f"| `{each.name}` | {_begins(each)} | {_inside(each)} |" for each in DIALECTS]
    return ["| dialect | how it begins | protocol inside |", "|---|---|---|", *rows]


def _matrix(page: str) -> list[str]:
    """The versions are those that the page has: what is installed may be newer."""
    head, *rows = matrix.markdown().splitlines()
    had = next((line for line in page.splitlines() if line.startswith("| dialect | Apache Python ")), head)
    return [had, *rows]


def _begins(dialect: Dialect) -> str:
    patterns = [_pattern(each) for each in dialect.begins]
    either = ", ".join(patterns[:-1]) + (" or " if patterns[1:] else "") + patterns[-1]
    return f"a length (4 bytes, at most `--max-frame`), then {either}" if dialect.framed else either


def _inside(dialect: Dialect) -> str:
    names = [name.replace("tjson", "JSON") for name in dialect.protocols]
    return ", ".join(names[:-1]) + (" or " if names[1:] else "") + names[-1]


def _pattern(pattern: tuple[frozenset[int], ...]) -> str:
    if all(len(each) == 1 and 32 <= min(each) < 127 for each in pattern):
        return f'`"{bytes(min(each) for each in pattern).decode()}"`'
    return f"`{' '.join(_set(each) for each in pattern)}`"


def _set(values: frozenset[int]) -> str:
    if len(values) == 1:
        return f"{min(values):02x}"
    runs = []
    for _, run in itertools.groupby(enumerate(sorted(values)), lambda pair: pair[1] - pair[0]):
        members = [value for _, value in run]
        runs.append(f"{members[0]:02x}" + (f"-{members[-1]:02x}" if members[1:] else ""))
    return f"[{' '.join(runs)}]"


def _strangers() -> list[str]:
    rows = dict.fromkeys(f"| {each.name} | {each.advice} | {_answer(each)} |" for each in (*STREAMS, *FRAMES))
    return ["| what | what is said of it | answer |", "|---|---|---|", *rows]


def _answer(stranger: Stranger) -> str:
    return "none" if stranger.refuse is Stranger._field_defaults["refuse"] else "yes"


def tables(page: str) -> list[str]:
    """What stands between the comments."""
    return re.findall(r"<!-- begin: \w+ -->\n(.*?)<!-- end: \w+ -->\n", page, re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(rendered(PAGE.read_text()))
