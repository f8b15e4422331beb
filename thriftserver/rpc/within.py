"""The primitives under ``processor``: the clock, and a handler called in a context of its own.

``_processor.pxd`` has their C twins.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar, copy_context
from typing import Any

#: Monotonic nanoseconds, the same clock in every process of a machine.
clock = time.monotonic_ns


def run_within(var: ContextVar[Any], call: Any, target: Callable[..., Any], args: Sequence[Any], chained: bool) -> Any:
    """``target(*args)``, or ``target(call)`` behind middleware, in a fresh context in which ``var`` is ``call``.

    What a handler binds (a request id for its logs) is gone with its call, though the fiber lives on.
    """
    return copy_context().run(_run, var, call, target, args, chained)


def _run(var: ContextVar[Any], call: Any, target: Callable[..., Any], args: Sequence[Any], chained: bool) -> Any:
    var.set(call)
    return target(call) if chained else target(*args)
