"""What kind of function a handler has for a method, and its parameters held against the arguments of the IDL.

It looks at signatures and marks, and calls nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from thriftserver.schema.model import Function

#: The annotation of the IDL that has a method run on a thread; what ``@thriftserver.blocking`` leaves on a function.
BLOCKING, MARK = "thriftserver.blocking", "__thriftserver_blocking__"

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

_REST = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def kind_of(function: Any) -> str:
    """What keeps a function from being called as a plain one or as a coroutine; empty if nothing does."""
    if _is(inspect.isasyncgenfunction, function):
        return "is an async generator (it has a yield), which is not supported: return a list"
    if _is(inspect.isgeneratorfunction, function):
        return "is a generator (it has a yield), which is not supported yet: return a list"
    return ""


def is_async(function: Any) -> bool:
    """Does it return a coroutine whenever it is called?"""
    return _is(inspect.iscoroutinefunction, function)


def may_be_async(function: Any) -> bool:
    """Is it a plain wrapper around a coroutine function? It may return the coroutine, or have run it."""
    with suppress(ValueError):  # a function that wraps itself
        return is_async(inspect.unwrap(function))
    return False


def is_blocking(function: Function, target: Any) -> bool:
    """Do the IDL or a decorator want it on a thread?"""
    return BLOCKING in function.annotations or bool(getattr(target, MARK, False))


def torn(function: Function, target: Any) -> str:
    """What is wrong with a coroutine function that is to run on a thread; empty if it is none."""
    if is_async(target) and is_blocking(function, target):
        return "is async and blocking: write a plain def, or leave blocking out and await asyncio.to_thread() in it"
    return ""


def _is(kind: Any, function: Any) -> bool:
    while isinstance(function, partial):
        function = function.func
    called = function
    if not inspect.isroutine(function) and not inspect.isclass(function):
        called = getattr(type(function), "__call__", function)  # noqa: B004 - of an object that can be called
    return kind(function) or kind(called)  # type: ignore[no-any-return]


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
