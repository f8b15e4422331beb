"""A list as a stack that threads share: each operation is one of the list's, so that nothing is taken twice.

``_lending.pxd`` has the C twins.
"""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def push(stack: list[T], item: T) -> None:
    stack.append(item)


def pop(stack: list[T]) -> T | None:
    """What was pushed last; None if there is nothing."""
    try:
        return stack.pop()
    except IndexError:
        return None
