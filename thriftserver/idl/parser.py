"""Tokens to syntax nodes: a lean loop over ply's tables, which goes on behind an error.

It knows no names and words no messages: what it cannot read it hands out as ``Failure``, for ``syntax`` to explain.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from thriftserver.idl import grammar
from thriftserver.idl.ast import Document, Item
from thriftserver.idl.automaton import fits, load_tables
from thriftserver.idl.grammar import P
from thriftserver.idl.lexer import END, Scan
from thriftserver.idl.recovery import next_definition, next_member, opening

#: Errors after which reading goes on within the same definition; with more, only at the next one.
MAX_CAREFUL: Final = 100


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
    floor = -1
    kind = kinds[0]
    while True:
        action = defaults[state] or actions[state].get(kind)
        if action is None and kind != END and fits(states, END):
            kind = END  # the definition is complete and what comes next is wrong: build it, then fail
        elif action is None or (action == 0 and kinds[index] != END):
            failures.append(Failure(index, states[:], opening(values, scan, index)))
            keep, index = _go_on(scan, text, states, values, failures, floor)
            floor = index
            del states[keep + 1 :], values[keep:]
            kind = kinds[index]
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


def _go_on(
    scan: Scan, text: str, states: list[int], values: list[Any], failures: list[Failure], floor: int
) -> tuple[int, int]:
    """How many values to keep after the last failure, and the index of the token to go on with."""
    failure = failures[-1]
    if len(failures) <= MAX_CAREFUL:
        found = next_member(scan, text, states, values, failure.at, floor)
        if found is not None:
            return found
    # At least the empty list of items is there: state 0 reduces to it whatever comes.
    return 1, next_definition(scan, text, failure.at, failure.opening)
