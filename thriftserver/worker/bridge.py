"""The patched standard library on native threads: what gevent binds to one thread's hub works from every other.

The loop that serves is the ``home`` of all sockets, pipes and children. A thread that waits for one of them waits in
its own hub, with a watcher of its own; what only the home's loop can do is done there, and waited for. ``locks`` has
the other half.
"""

from __future__ import annotations

import _posixsubprocess
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import gevent
import gevent.os
import gevent.subprocess
from gevent import _fileobjectposix, _socket3, get_hub  # type: ignore[attr-defined]
from gevent._hub_local import get_hub_if_exists, set_default_hub_class
from gevent.hub import Hub
from gevent.monkey import get_original
from greenlet import getcurrent, greenlet

allocate_lock = get_original("_thread", "allocate_lock")
native_ident = get_original("_thread", "get_ident")
_start_native = get_original("_thread", "start_new_thread")


def _run_in(inner: greenlet) -> None:
    inner.parent = getcurrent()
    inner.switch()


class SharedHub(Hub):
    """A hub whose descriptors may be waited for from other threads."""

    def wait(self, watcher: Any) -> Any:
        mine: Any = get_hub()
        if mine is self or not hasattr(watcher, "fd"):
            return super().wait(watcher)
        own = mine.loop.io(watcher.fd, watcher.events)
        try:
            return Hub.wait(mine, own)
        finally:
            own.close()


class Bridge:
    """Laid once, in the thread of the loop that serves, after gevent's patch and before anything uses a hub."""

    def __init__(self) -> None:
        set_default_hub_class(SharedHub)
        self._home: Any = get_hub()
        self._pausing = threading.local()
        os.register_at_fork(after_in_child=self._forget)
        _socket3.get_hub = self.home
        _fileobjectposix.get_hub = self.home
        self._threads_of_threads()
        self._children_of_threads()

    def home(self) -> Any:
        return self._home or get_hub()

    def _forget(self) -> None:
        """In a forked child the loop is another one."""
        self._home = None

    def at_home(self) -> bool:
        return self._home is None or get_hub_if_exists() is self._home or native_ident() == self._home.thread_ident

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Have a greenlet of the home's loop do it, and wait."""
        if self.at_home():
            return function(*args, **kwargs)
        done = allocate_lock()
        done.acquire()
        ended: list[tuple[bool, Any]] = []

        def work() -> None:
            try:
                ended.append((True, function(*args, **kwargs)))
            except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
                ended.append((False, error))
            done.release()

        self._home.loop.run_callback_threadsafe(greenlet(work, self._home).switch)
        done.acquire()
        returned, value = ended[0]
        if returned:
            return value
        raise value

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Have the home's loop stand still between two callbacks, so that its structures may be touched."""
        if self.at_home():
            yield
            return
        arrived, done = allocate_lock(), allocate_lock()
        arrived.acquire()
        done.acquire()

        def stand_still() -> None:
            arrived.release()
            done.acquire()

        self._home.loop.run_callback_threadsafe(stand_still)
        arrived.acquire()
        try:
            yield
        finally:
            done.release()

    def _threads_of_threads(self) -> None:
        """A thread that is started by a fiber is a greenlet; one that is started by a native thread is native."""

        def run(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            try:
                gevent.spawn(function, *args, **kwargs).join()  # what ends a Thread is linked to its greenlet,
                gevent.sleep(0)  # and may come after us
            finally:
                get_hub().destroy(True)

        def starts(start: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(start)
            def start_new_thread(function: Callable[..., Any], args: Any = (), kwargs: Any = None) -> Any:
                if self.at_home():
                    return start(function, args, kwargs)
                return _start_native(run, (function, args, kwargs or {}))

            return start_new_thread

        def starts_joinable(start: Callable[..., Any]) -> Callable[..., Any]:
            @wraps(start)
            def start_joinable_thread(function: Callable[[], Any], handle: Any = None, daemon: bool = True) -> Any:
                if self.at_home():
                    return start(function, handle=handle, daemon=daemon)
                from gevent.thread import _ThreadHandle  # type: ignore[import-not-found, unused-ignore]

                handle = handle if handle is not None else _ThreadHandle()
                inner = greenlet(
                    lambda: run(function, (), {})
                )  # a plain one: others look at it now and then, to join it
                handle._set_greenlet(inner)
                _start_native(_run_in, (inner,))
                return handle

            return start_joinable_thread

        import _thread

        _thread.start_new_thread = starts(_thread.start_new_thread)
        if hasattr(threading, "_start_new_thread"):
            threading._start_new_thread = starts(threading._start_new_thread)
        if hasattr(threading, "_start_joinable_thread"):
            threading._start_joinable_thread = starts_joinable(threading._start_joinable_thread)

    def _children_of_threads(self) -> None:
        """Only the loop that serves hears of children that have ended."""
        bridge = self

        class Popen(gevent.subprocess.Popen):  # type: ignore[type-arg]
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                bridge.call(super().__init__, *args, **kwargs)

            def wait(self, *args: Any, **kwargs: Any) -> Any:
                return bridge.call(super().wait, *args, **kwargs)

            def poll(self) -> Any:
                return bridge.call(super().poll)

            def communicate(self, *args: Any, **kwargs: Any) -> Any:
                return bridge.call(super().communicate, *args, **kwargs)

        Popen.__qualname__ = "Popen"
        Popen.__module__ = "subprocess"
        gevent.subprocess.Popen = subprocess.Popen = Popen  # type: ignore[misc]

        def watched(watch: Callable[..., Any], **how: Any) -> Any:
            with bridge.paused():
                loop = bridge.home().loop
                loop.install_sigchld()  # the first watcher does it too, but a child may have ended by then
                return watch(loop=loop, **how)

        spawn, watch = _posixsubprocess.fork_exec, gevent.os.fork_and_watch
        os.fork = wraps(os.fork)(lambda: watched(watch))
        os.forkpty = wraps(os.forkpty)(lambda: watched(gevent.os.forkpty_and_watch))
        # What multiprocessing takes for spawn and forkserver.
        _posixsubprocess.fork_exec = wraps(spawn)(lambda *args: watched(watch, fork=lambda: spawn(*args)))
        os.waitpid = wraps(os.waitpid)(lambda pid, options: bridge.call(gevent.os.waitpid, pid, options))
