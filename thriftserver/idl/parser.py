"""Tokens to syntax nodes: a lean loop over ply's tables, which goes on at the next definition after an error.

It knows no names and words no messages: what it cannot read it hands out as ``Failure``, for ``syntax`` to explain.
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any, Final, NamedTuple

from ply import yacc

from thriftserver.idl import grammar, tables
from thriftserver.idl.ast import Document, Item, Token
from thriftserver.idl.grammar import P
from thriftserver.idl.lexer import END, Scan

#: Words that only a new definition or header starts with; reading goes on here after an error.
OPENERS: Final = frozenset(
    {"STRUCT", "UNION", "EXCEPTION", "ENUM", "SERVICE", "TYPEDEF", "CONST"}
    | {"INCLUDE", "CPP_INCLUDE", "NAMESPACE", "OLD_NAMESPACE"}
)


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


class Failure(NamedTuple):
    """Where reading got stuck: at which token, in which states, and with which token the definition had begun."""

    at: int
    states: list[int]
    opening: int


def parse(scan: Scan, text: str) -> tuple[Document, list[Failure]]:
    """Everything that can be read, and every place where reading got stuck. Never fails, never recurses."""
    actions, defaults, rules = load_tables()
    same, new_list, nothing = grammar.p_same, grammar.p_new_list, grammar.p_nothing
    kinds, tokens = scan.kinds, scan.tokens
    failures: list[Failure] = []
    states = [0]
    values: list[Any] = []
    index = state = 0
    kind = kinds[0]
    while True:
        action = defaults[state] or actions[state].get(kind)
        if action is None and kind != END and fits(states, END):
            kind = END  # the definition is complete and what comes next is wrong: build it, then fail
        elif action is None or (action == 0 and kinds[index] != END):
            failures.append(Failure(index, states[:], _opening(values, tokens, index)))
            index = _next_definition(scan, text, index, failures[-1].opening)
            kind = kinds[index]
            # At least the empty list of items is there: state 0 reduces to it whatever comes.
            del states[2:], values[1:]
            state = states[-1]
        elif action > 0:
            states.append(action)
            values.append(tokens[index])
            state = action
            index += 1
            kind = kinds[index]
        elif action < 0:
            length, goto, build = rules[-action]
            if build is same:
                states.pop()
            elif build is nothing:
                values.append(None)
            elif build is new_list:
                values.append([])
            else:
                p: P = [None, *values[-length:]]
                del values[-length:], states[-length:]
                build(p)
                values.append(p[0])
            state = goto[states[-1]]
            states.append(state)
        else:
            items: list[Item] = values[0]
            return Document(items, scan.docs), failures


def _opening(values: list[Any], tokens: list[Token], index: int) -> int:
    """Index of the token that the unfinished definition starts with."""
    if len(values) < 2:
        return index
    first = values[1].at
    while index and tokens[index].at > first:
        index -= 1
    return index


def _next_definition(scan: Scan, text: str, index: int, opening: int) -> int:
    """Index of the next token that can only start something new: such a word at the start of a line."""
    last = len(scan.kinds) - 1
    if index == opening:
        index += 1
    while index < last:
        if scan.kinds[index] in OPENERS:
            at = scan.tokens[index].at
            if not text[text.rfind("\n", 0, at) + 1 : at].strip():
                return index
        index += 1
    return last


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
