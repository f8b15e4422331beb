"""The parsing automaton that ply makes of the grammar, in a shape that is quick to walk.

It knows states and kinds of tokens, and neither tokens nor nodes.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any, NamedTuple

from ply import yacc

from thriftserver.idl import grammar, tables


class Rule(NamedTuple):
    """A production: how many symbols it takes off the stack, where to go then by the state below, what it builds."""

    length: int
    goto: dict[int, int]
    build: Any


class Tables(NamedTuple):
    """ply's tables. Actions: n > 0 shifts to state n, n < 0 reduces by rule -n, 0 accepts; none at all is an error."""

    actions: list[dict[str, int]]
    #: The only thing to do in a state whatever comes next, or 0.
    defaults: list[int]
    rules: list[Rule]


@cache
def load_tables() -> Tables:
    """The tables, once per process. The stored ones are used only if ply finds that they belong to this grammar."""
    stripped = sys.flags.optimize >= 2  # no docstrings, so there is no grammar left to compare with
    built = yacc.yacc(
        module=grammar, tabmodule=tables, write_tables=False, debug=False, optimize=stripped, errorlog=yacc.NullLogger()
    )
    goto: dict[str, dict[int, int]] = {}
    for state, row in built.goto.items():
        for name, target in row.items():
            goto.setdefault(name, {})[state] = target
    rules = [Rule(rule.len, goto.get(rule.name, {}), rule.callable) for rule in built.productions]
    states = range(len(built.action))
    defaults = [built.defaulted_states.get(state, 0) for state in states]
    return Tables([built.action[state] for state in states], defaults, rules)


def expected(states: list[int]) -> set[str]:
    """Every kind of token that could stand where reading got stuck."""
    return {kind for kind in {kind for row in load_tables().actions for kind in row} if fits(states, kind)}


def fits(states: list[int], kind: str) -> bool:
    """Whether a token of that kind could come next."""
    actions, defaults, rules = load_tables()
    stack = states[:]
    while True:
        action = defaults[stack[-1]] or actions[stack[-1]].get(kind)
        if action is None:
            return False
        if action >= 0:
            return True
        rule = rules[-action]
        del stack[len(stack) - rule.length :]
        stack.append(rule.goto[stack[-1]])
