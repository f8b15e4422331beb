"""What is done to many values at once where code is compiled, and here is left to be done one by one.

``_loops.pxi`` has the C twins, over ``loops.h``.
"""

from __future__ import annotations

from typing import Any

from thriftserver.codec.memory import Sink, Source


def kind_of(op: str, wire: int) -> int:
    """By which name loops of compiled code know a base type; 0 for what they leave to nodes."""
    return 0


def pass_fields(source: Source) -> None:
    """Pass over fields of numbers and texts while that takes no closer look."""


def take_run(source: Source, size: int, kind: int, members: dict[int, Any]) -> list[Any]:
    """The first of ``size`` values, up to one that needs a closer look."""
    return []


def take_pairs(source: Source, items: dict[Any, Any], size: int, key: int, kind: int, members: dict[int, Any]) -> int:
    """The same for the pairs of a map whose keys are texts, put into ``items``; how many."""
    return 0


def put_run_from(sink: Sink, items: Any, index: int, kind: int, wire: int) -> int:
    """Put items of a list or tuple, from ``index`` on, while that takes no closer look; up to where."""
    return index


def put_pairs(sink: Sink, items: dict[Any, Any], key: int, kind: int, wire: int) -> bool:
    """The same for all pairs of a map whose keys are texts; False: none of them."""
    return False
