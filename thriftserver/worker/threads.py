"""Runs methods that block, or compute for long, on native threads, so that the loop goes on."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any

from thriftserver.scoreboard import layout

if TYPE_CHECKING:
    from gevent.threadpool import ThreadPool

    from thriftserver.scoreboard.slot import Slot


class Threads:
    """A pool of at most ``size`` threads, made as they are needed. The waiting call's fiber lets others run."""

    def __init__(self, size: int, slot: Slot) -> None:
        self._size = size
        self._slot = slot
        self._busy = 0

    @cached_property
    def _pool(self) -> ThreadPool:
        from gevent.threadpool import ThreadPool  # most services have no method that blocks

        return ThreadPool(self._size)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function as one that runs on a thread; the caller's context, and with it ``current_call``, goes along."""
        pool = self._pool

        @wraps(function)
        def on_thread(*args: Any) -> Any:
            context = copy_context()
            self._count(1)
            try:
                ended, value = pool.apply(_catch, (context, function, args))
            finally:
                self._count(-1)
            if ended:
                return value
            raise value

        return on_thread

    def _count(self, change: int) -> None:
        self._busy += change
        self._slot.put(layout.THREADS, self._busy)


def _catch(context: Any, function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[bool, Any]:
    """What the function returned, or raised: a pool would print the traceback of what it thinks nobody handles."""
    try:
        return True, context.run(function, *args)
    except BaseException as error:  # noqa: BLE001 - raised again where the call waits for it
        return False, error
