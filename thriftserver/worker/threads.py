"""Runs methods that block, or compute for long, on native threads, so that the loop goes on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import cached_property, wraps
from types import FrameType
from typing import TYPE_CHECKING, Any

from gevent import get_hub
from gevent.monkey import get_original
from greenlet import getcurrent, greenlet

from thriftserver.rpc.current import CURRENT
from thriftserver.scoreboard import layout
from thriftserver.worker.stacks import walk

if TYPE_CHECKING:
    from gevent.threadpool import ThreadPool

    from thriftserver.rpc.call import Call
    from thriftserver.scoreboard.slot import Slot

_get_ident = get_original("threading", "get_ident")


class Threads:
    """A pool of at most ``size`` threads, made as they are needed. The waiting call's fiber lets others run.

    ``end_child`` is called with None or an error when a call's code has ended; it returns only in this process.
    """

    def __init__(self, size: int, slot: Slot, end_child: Callable[[BaseException | None], None]) -> None:
        self._size = size
        self._slot = slot
        self._end_child = end_child
        self._busy = 0
        self._running: dict[Call, tuple[int, greenlet]] = {}

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
                ended, value = pool.apply(self._run, (context, function, args))
            finally:
                self._count(-1)
            if ended:
                return value
            raise value

        return on_thread

    def stack(self, call: Call) -> list[FrameType] | None:
        """Where the code of a call is that runs on a thread, outermost frame first; None for one that does not."""
        found = self._running.get(call)  # it may end at any moment
        if found is None:
            return None
        ident, its = found
        # A thread that waits cooperatively is in the hub of its own, and the call's code in a greenlet that rests.
        return walk(its.gr_frame or sys._current_frames().get(ident))

    def _count(self, change: int) -> None:
        self._busy += change
        self._slot.put(layout.THREADS, self._busy)

    def _run(self, context: Context, function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[bool, Any]:
        """On the thread. In a greenlet of its own, so that what is bound to a call's greenlet ends with the call."""
        hub = get_hub()  # made here it is nobody's child, and outlives the call
        its = greenlet(self._answer)
        ended: tuple[bool, Any] = its.switch(context, function, args)
        its.parent = hub  # where a timeout ends that was never cancelled, rather than in the next call
        self._end_child(None if ended[0] else ended[1])
        return ended

    def _answer(self, context: Context, function: Callable[..., Any], args: tuple[Any, ...]) -> tuple[bool, Any]:
        """Whether the function has returned, and what: a pool would print the traceback of an error."""
        call = context[CURRENT].call
        assert call is not None  # it waits for what is called here
        self._running[call] = (_get_ident(), getcurrent())
        try:
            return True, context.run(function, *args)
        except BaseException as error:  # noqa: BLE001 - raised again where the call waits for it
            return False, error
        finally:
            del self._running[call]
