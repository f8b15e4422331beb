"""Takes a call's context along into threads, pools and greenlets that its handler starts.

Python starts each of them with an empty context. Only what is started by a call is touched; work that a pool does is
done in the context of who asked for it, not of who made the pool.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import wraps
from typing import Any

import gevent
from gevent import hub

from thriftserver.rpc.current import running


def inherit_contexts() -> None:
    """From now on, in this process."""
    gevent.Greenlet.add_spawn_callback(_take_along)
    spawn_raw = hub.spawn_raw

    @wraps(spawn_raw)
    def spawn_raw_here(*args: Any, **kwargs: Any) -> Any:
        spawned: Any = spawn_raw(*args, **kwargs)
        _take_along(spawned)
        return spawned

    gevent.spawn_raw = hub.spawn_raw = spawn_raw_here
    threading.Thread.start = _started_here(threading.Thread.start)  # type: ignore[method-assign, assignment]
    ThreadPoolExecutor.submit = _asked_here(ThreadPoolExecutor.submit)  # type: ignore[method-assign]
    hub.Hub.threadpool_class = property(_pools)  # type: ignore[assignment, unused-ignore]


def _pools(_hub: hub.Hub) -> Any:
    from gevent.threadpool import ThreadPool  # most services have no use for it

    if not hasattr(ThreadPool.spawn, "__wrapped__"):
        ThreadPool.spawn = _asked_here(ThreadPool.spawn)  # type: ignore[method-assign]
    return ThreadPool


def _take_along(spawned: Any) -> None:
    if running() is not None:
        spawned.gr_context = copy_context()


def _started_here(start: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    @wraps(start)
    def start_here(self: threading.Thread) -> None:
        if running() is not None:
            context, run = copy_context(), self.run

            def run_here() -> None:
                del self.run  # the thread would refer to itself
                context.run(run)

            self.run = run_here  # type: ignore[method-assign]
        start(self)

    return start_here


def _asked_here(ask: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(ask)
    def ask_here(self: Any, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return ask(self, copy_context().run, function, *args, **kwargs)

    return ask_here
