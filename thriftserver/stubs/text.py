"""Lines of Python: indentation, doc strings and signatures that fit a line or are broken."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

_WIDTH: Final = 120


def indented(lines: Iterable[str]) -> list[str]:
    return [f"    {line}" if line else "" for line in lines]


def block(head: str, body: Sequence[str]) -> list[str]:
    """A compound statement; one without a body gets ``...``."""
    return [head, *indented(body)] if body else [f"{head} ..."]


def docstring(text: str) -> list[str]:
    """A doc string that holds this text, whatever quotes and backslashes are in it; nothing for none."""
    if not text.strip():
        return []
    text = "".join(map(_visible, text)).replace("\\", "\\\\").replace('"""', r"\"\"\"")
    text = text.replace(_MARK, "\\")
    first, *rest = text.split("\n")
    if not rest and not first.endswith('"'):
        return [f'"""{first}"""']
    return [f'"""{first}', *rest, '"""']


#: Stands for the backslash of an escape until those of the text have been doubled; it is never visible itself.
_MARK: Final = "\x00"


def _visible(char: str) -> str:
    if "\ud800" <= char <= "\udfff":  # a byte that is no UTF-8: Python 3.13 compiles no doc string with one
        return "\N{REPLACEMENT CHARACTER}"
    if char.isprintable() or char in "\n\t":
        return char
    return char.encode("unicode_escape").decode().replace("\\", _MARK)


def function(head: str, parameters: Sequence[str], result: str, body: Sequence[str] = ()) -> list[str]:
    """``def name(parameters) -> result:`` with a body, one parameter a line where they are too many for one."""
    line = f"{head}({', '.join(parameters)}) -> {result}:"
    if len(line) <= _WIDTH - 12:
        return block(line, body)
    first, *last = block(f") -> {result}:", body)
    return [f"{head}(", *(f"    {parameter}," for parameter in parameters), first, *last]
