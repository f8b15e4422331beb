"""After a syntax error: where reading can go on without stumbling over the same thing again.

It looks at tokens, brackets and line starts, and builds nothing.
"""

from __future__ import annotations

from typing import Any, Final

from thriftserver.idl.ast import Token
from thriftserver.idl.automaton import fits
from thriftserver.idl.lexer import Scan

#: Words that only a new definition or header starts with; reading goes on here after an error.
OPENERS: Final = frozenset(
    {"STRUCT", "UNION", "EXCEPTION", "ENUM", "SERVICE", "TYPEDEF", "CONST"}
    | {"INCLUDE", "CPP_INCLUDE", "NAMESPACE", "OLD_NAMESPACE"}
)
#: Definitions whose body is a list of members in braces.
_BODIES: Final = frozenset({"STRUCT", "UNION", "EXCEPTION", "ENUM", "SERVICE"})
#: What a line of a version control system's conflict marker starts with.
_MARKERS: Final = frozenset("<=>")


def opening(values: list[Any], scan: Scan, index: int) -> int:
    """Index of the token that the unfinished definition starts with."""
    return _index_of(values[1].at, scan, index) if len(values) > 1 else index


def next_definition(scan: Scan, text: str, index: int, opening: int) -> int:
    """Index of the next token that can only start something new: such a word at the start of a line."""
    last = len(scan.kinds) - 1
    if index == opening:
        index += 1
    while index < last:
        if scan.kinds[index] in OPENERS and starts_line(scan.tokens[index], text):
            return index
        index += 1
    return last


def next_member(
    scan: Scan, text: str, states: list[int], values: list[Any], index: int, floor: int
) -> tuple[int, int] | None:
    """Where to go on within the same braces: how many values to keep, and the index of the next token, above ``floor``.

    That is a line which starts with what a member can start with, or the closing brace; None if there is neither before
    the next definition.
    """
    kinds, tokens = scan.kinds, scan.tokens
    keep = _body(values)
    if not keep or kinds[opening(values, scan, index)] not in _BODIES:
        return None
    if kinds[index] in _MARKERS and starts_line(tokens[index], text):
        return None
    depth = 0
    for step in range(_index_of(values[keep - 2].at, scan, index) + 1, len(kinds) - 1):
        kind = kinds[step]
        if step >= index:
            at_start = starts_line(tokens[step], text)
            if at_start and kind in OPENERS:
                return None
            numbered = kind == "INTEGER" and kinds[step + 1] == ":"
            possible = (kind == "}" and not depth) or (at_start and (numbered or not depth))
            if possible and step > floor and fits(states[: keep + 1], kind):
                return keep, step
        if kind in ("{", "(", "["):
            depth += 1
        elif kind in ("}", ")", "]"):
            if not depth and kind == "}":
                return None
            depth = max(0, depth - 1)
    return None


def _body(values: list[Any]) -> int:
    """How many values there are up to the list of members of the unfinished definition; 0 when it has none yet."""
    for index in range(2, len(values)):
        before = values[index - 1]
        if values[index].__class__ is list and before.__class__ is Token and before.text == "{":
            return index + 1
    return 0


def _index_of(at: int, scan: Scan, index: int) -> int:
    while index and scan.tokens[index].at > at:
        index -= 1
    return index


def starts_line(token: Token, text: str) -> bool:
    return not text[text.rfind("\n", 0, token.at) + 1 : token.at].strip()
