"""The primitives under ``processor``: the clock, a handler called in a context of its own, and what it leaves behind.

``_processor.pxd`` has their C twins.
"""

from __future__ import annotations

import sys
import time
import weakref
from collections.abc import Callable, Sequence
from contextvars import ContextVar, copy_context
from typing import Any

from thriftserver.rpc.call import Call, Current, Seat

#: Monotonic nanoseconds, the same clock in every process of a machine.
clock = time.monotonic_ns


def run_within(
    var: ContextVar[Current], seat: Seat, call: Call, target: Callable[..., Any], args: Sequence[Any], chained: bool
) -> Any:
    """``target(*args)``, or ``target(call)`` behind middleware, in a context of its own where ``var`` tells the call.

    What a handler binds (a request id for its logs) is gone with its call, though the fiber lives on.
    """
    return copy_context().run(_run, var, call, target, args, chained)


def _run(var: ContextVar[Current], call: Call, target: Callable[..., Any], args: Sequence[Any], chained: bool) -> Any:
    var.set(Current(call))
    return target(call) if chained else target(*args)


def holders(fiber: Any) -> int:
    """How many know a fiber. A timer, a link or a pending kill that would reach it later is one more than before."""
    return 0 if fiber is None else sys.getrefcount(fiber)


def has_memory(fiber: Any) -> bool:
    """Does anything hang on a fiber: attributes, or what is kept as long as it lives (gevent's locals, a thread)?"""
    return fiber is not None and bool(fiber.__dict__ or weakref.getweakrefcount(fiber))
