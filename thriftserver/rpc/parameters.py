"""A function's parameters held against the arguments that the IDL gives it, which it gets by position.

It looks at signatures and calls nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

_REST = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def kind_of(function: Any) -> str:
    """What keeps a function from being called as a plain one; empty if nothing does."""
    called = function
    if not inspect.isroutine(function) and not inspect.isclass(function):
        called = getattr(type(function), "__call__", function)  # noqa: B004 - of an object that can be called
    for each in (function, called):
        if inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each):
            return "is async, which is not supported yet: write a plain def, it may wait and lets others run"
        if inspect.isgeneratorfunction(each):
            return "is a generator (it has a yield), which is not supported yet: return a list"
    return ""


def misplaced(signature: inspect.Signature, names: Sequence[str]) -> list[str]:
    """Arguments whose names belong to other parameters than those that get them."""
    parameters = list(signature.parameters.values())
    takers = [each.name for each in parameters if each.kind in _POSITIONAL]
    same = _same_names([each.name for each in parameters], names)
    wrong = []
    for place, name in enumerate(names):
        taker = takers[place] if place < len(takers) else ""
        holder = next(
            (each.name for each in parameters if each.kind not in _REST and same(each.name) == same(name)), None
        )
        if holder is not None and holder != taker:
            wrong.append(name)
    return wrong


def _same_names(ours: Sequence[str], theirs: Sequence[str]) -> Any:
    """What makes ``userId`` and ``user_id`` one, unless that would make two names of one side one."""

    def loose(name: str) -> str:
        return name.replace("_", "").lower()

    clear = all(len({loose(name) for name in names}) == len(names) for names in (ours, theirs))
    return loose if clear else str
