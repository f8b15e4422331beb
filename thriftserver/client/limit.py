"""``with deadline(...)``: how long all calls out take together that are made in a block; and timeouts of several steps.

``deadline.Deadline`` is what one call makes of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

#: When the block that is running must be over, in ``time.monotonic`` seconds.
LIMIT: ContextVar[float] = ContextVar("thriftserver.deadline")


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """All calls that are made in this block, and by what it calls, end within so many seconds from its beginning.

    A block within another one can only shorten the time. Servers hear of it where the dialect has a place for it.
    """
    if not seconds > 0:
        raise ValueError(f"a deadline must be more than 0 seconds away, got {seconds!r}")
    end = time.monotonic() + seconds
    token = LIMIT.set(min(end, LIMIT.get(end)))
    try:
        yield
    finally:
        LIMIT.reset(token)


def end_of(timeout: float | None) -> float | None:
    """When something must be over that begins now, in ``time.monotonic`` seconds; None for never."""
    return None if timeout is None else time.monotonic() + timeout


def left_until(end: float | None) -> float | None:
    """Seconds until then. Raises TimeoutError when none are left."""
    if end is None:
        return None
    left = end - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def value_of(var: ContextVar[Any]) -> Any:
    """What a variable is here, or None. ``_deadline.pxd`` has its C twin."""
    return var.get(None)
