"""A lock for fibers and threads alike, under everything in ``threading`` and ``queue``.

gevent's own locks and queues are for the greenlets of one thread. Here whoever waits, waits in the hub of its own
thread, where its other greenlets go on, and is woken from any. What stands above a lock (conditions, events,
semaphores, queues) is the standard library's own Python.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
from _thread import TIMEOUT_MAX, LockType
from collections import deque
from collections.abc import Callable
from concurrent.futures import thread as pools
from contextlib import suppress
from typing import Any

from gevent import Timeout, get_hub
from gevent import thread as gevent_thread
from gevent import threading as gevent_threading  # type: ignore[attr-defined]
from gevent.hub import Waiter
from gevent.monkey import get_original
from greenlet import getcurrent

_native_lock: Callable[[], LockType] = get_original("_thread", "allocate_lock")


class Lock:
    """As ``threading.Lock``. Whoever comes first when it is released has it, as with that one."""

    __slots__ = ("__weakref__", "_inner", "_waiting")

    def __init__(self) -> None:
        self._inner = _native_lock()
        self._waiting: deque[Any] = deque()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if timeout != -1:
            _check(blocking, timeout)
        if self._inner.acquire(False):
            return True
        return bool(blocking) and self._wait(None if timeout == -1 else timeout)

    def _wait(self, timeout: float | None) -> bool:
        hub: Any = get_hub()
        if getcurrent() is hub:
            return self._inner.acquire(
                True, -1 if timeout is None else timeout
            )  # a callback: there is nobody to let run
        limit: Any = Timeout._start_new_or_dummy(timeout)  # type: ignore[attr-defined]
        try:
            while not self._wait_once(hub):
                pass
        except Timeout as error:
            if error is limit:
                return False
            raise
        finally:
            limit.close()
        return True

    def _wait_once(self, hub: Any) -> bool:
        """Until the next release; whether the lock is ours then."""
        waiter: Any = Waiter(hub)
        bell = hub.loop.async_()
        bell.start(waiter.switch, None)
        self._waiting.append(bell)
        try:
            # Released between the last look and now? Whoever releases later finds the bell.
            if self._inner.acquire(False):
                return True
            waiter.get()
        except BaseException:
            if bell not in self._waiting:
                self._ring()  # it was rung for us, who are leaving: somebody else may be waiting
            raise
        finally:
            with suppress(ValueError):  # it has been rung
                self._waiting.remove(bell)
            bell.stop()
            bell.close()
        return self._inner.acquire(False)

    def release(self) -> None:
        self._inner.release()
        if self._waiting:
            self._ring()

    def _ring(self) -> None:
        try:
            bell = self._waiting.popleft()
        except IndexError:
            return
        bell.send()  # the one thing of a loop that other threads may touch

    def locked(self) -> bool:
        return self._inner.locked()

    def __enter__(self) -> bool:
        return self._inner.acquire(False) or self._wait(None)

    def __exit__(self, *_: object) -> None:
        self._inner.release()
        if self._waiting:
            self._ring()

    def __repr__(self) -> str:
        return f"<{'locked' if self.locked() else 'unlocked'} lock at {id(self):#x}>"

    def _at_fork_reinit(self) -> None:
        self._inner = _native_lock()
        self._waiting = deque()

    acquire_lock = acquire
    release_lock = release
    locked_lock = locked


def _check(blocking: bool, timeout: float) -> None:
    if not blocking:
        raise ValueError("can't specify a timeout for a non-blocking call")
    if timeout < 0:
        raise ValueError("timeout value must be a non-negative number")
    if timeout > TIMEOUT_MAX:
        raise OverflowError("timeout value is too large")


def share_locks() -> None:
    """Put them, and what stands upon them, in the place of gevent's. After its patch, before handlers are imported."""
    import _thread

    recursive = threading._PyRLock  # type: ignore[attr-defined]
    modules: tuple[Any, ...] = (threading, gevent_threading)
    for module in modules:
        module.Lock = module._allocate_lock = Lock
    gevent_thread.allocate_lock = gevent_thread.LockType = _thread.allocate_lock = Lock  # type: ignore[assignment]
    if hasattr(threading, "_set_sentinel"):
        threading._set_sentinel = Lock  # what Thread.join waits for
    threading.RLock = recursive
    threading.Event = get_original("threading", "Event")  # type: ignore[misc]
    for name in ("Queue", "LifoQueue", "PriorityQueue"):
        setattr(queue, name, get_original("queue", name))
    queue.SimpleQueue = queue._PySimpleQueue  # type: ignore[attr-defined, misc]
    threading._active_limbo_lock = recursive()  # type: ignore[attr-defined]
    for_pools: Any = Lock()
    pools._global_shutdown_lock = for_pools  # gevent has put one of its own there
    os.register_at_fork(after_in_child=for_pools._at_fork_reinit)
    logging._lock = recursive()  # type: ignore[attr-defined]
    for reference in logging._handlerList:  # type: ignore[attr-defined]
        handler = reference()
        if handler is not None and handler.lock is not None:
            handler.lock = recursive()
