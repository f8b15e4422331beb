"""What goes beside calls out, and comes beside their answers: ``with headers(...)`` around them, and what traces add.

Only THeader and HTTP have a place for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar


class Headers:
    """Those of a block: ``sent`` go with each of its calls, ``reply`` came with the answer to the last one."""

    __slots__ = ("reply", "sent")

    def __init__(self, sent: dict[str, str]) -> None:
        self.sent = sent
        self.reply: dict[str, str] = {}


_block: ContextVar[Headers | None] = ContextVar("thriftserver.headers", default=None)
_add: Callable[[dict[str, str]], object] | None = None


@contextmanager
def headers(values: Mapping[str, str] | None = None, /) -> Iterator[Headers]:
    """Send these with all calls that are made in this block, and by what it calls.

    A block within another one adds to its headers, and replaces those of the same name. Raises TypeError for what is no
    text.
    """
    given = dict(values or {})
    for name, value in given.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"headers are texts, got {name!r}: {value!r}")
    around = _block.get()
    block = Headers(given if around is None else around.sent | given)
    token = _block.set(block)
    try:
        yield block
    finally:
        _block.reset(token)


def add_with(add: Callable[[dict[str, str]], object] | None) -> None:
    """From now on ``add`` puts headers of its own into what each call takes along, where there is a place for it.

    None for nobody.
    """
    global _add
    _add = add


def beside(infos: dict[str, str]) -> dict[str, str]:
    """What goes along with a call that begins now; ``infos`` are those that it has of its own, and count more."""
    block = _block.get()
    if block is not None:
        block.reply = {}
        infos = block.sent | infos
    if _add is not None:
        _add(infos)
    return infos


def heard(infos: dict[str, str]) -> None:
    """These came beside an answer."""
    block = _block.get()
    if block is not None:
        block.reply = infos
