"""The walkers over plan rows: each protocol's folder runs them over a ``seam`` and a ``header`` of its own.

What is here is never imported under this name. A protocol's package puts this folder at the end of its ``__path__``, so
that ``codec.compact.node`` is this ``node.py``, whose ``from .seam import`` finds ``codec/compact/seam.py``; compiled,
each protocol has its own twins, too. ``seam.pyi`` and ``header.pyi`` say what a protocol has to supply.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def functions_of(protocol: str) -> Callable[[str], Any]:
    """A ``__getattr__`` for the package of a protocol: it has the functions of its ``message``, compiled or not."""

    def find(name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        from thriftserver.compiled import choose  # which looks for the packages' twins while it is imported itself

        return getattr(choose(f"codec.{protocol}.message"), name)

    return find
