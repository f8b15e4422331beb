"""What handler code forks off a worker has nothing of the worker, and never goes on as a second one.

A child keeps what handler code has made: its files, its objects, the log. It loses the worker's descriptors, watchers
and signal handlers, and when the code that forked is done it ends. This room does not know what any of it is for.
"""

from __future__ import annotations

import atexit
import faulthandler
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from gevent import get_hub
from gevent import hub as hubs
from gevent._hub_local import get_hub_class, get_hub_if_exists, set_hub
from gevent.monkey import get_original, is_module_patched
from greenlet import GreenletExit, getcurrent, greenlet

from thriftserver.log import Logger, flush

#: gevent puts off a close until its loop has gone round, and has its own idea of SIGCHLD's handler.
close = get_original("os", "close")
getsignal, set_signal = get_original("signal", "getsignal"), get_original("signal", "signal")


class Offspring:
    """Sees to what becomes of this process's children. One for a worker, made in its main thread."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._hub: Any = get_hub()
        self._pid = os.getpid()
        self._belongings: list[Callable[[], None]] = []
        #: Hubs that must not be collected, because that would resume them.
        self._buried: list[Any] = []
        os.register_at_fork(after_in_child=self._in_child)

    def without(self, release: Callable[[], None]) -> None:
        """Call ``release`` in every child: it lets go of something that is the worker's."""
        self._belongings.append(release)

    def without_descriptor(self, descriptor: int) -> None:
        if descriptor >= 0:
            self.without(lambda: close(descriptor))

    @contextmanager
    def kept_out(self) -> Iterator[None]:
        """Around code of a handler that runs outside of calls: a child that comes out of it ends."""
        try:
            yield
        except BaseException as error:
            self.end_child(error)
            raise
        self.end_child(None)

    def end_child(self, error: BaseException | None) -> None:
        """End this process if it is a child of the worker: it is done, or failed by ``error``."""
        if os.getpid() != self._pid:
            self._leave(error)

    def _in_child(self) -> None:
        if self._buried:
            return  # a child of a child
        _reset_signals()
        faulthandler.disable()  # it writes into the worker's file
        atexit._clear()  # what the worker's code has registered is for the worker to run
        for release in self._belongings:
            with suppress(OSError):  # the handler has closed it behind our back
                release()
        self._renew_hub()

    def _renew_hub(self) -> None:
        """A loop without the worker's watchers, in which no other call's greenlet is ever resumed.

        The loop that the worker still has shares its epoll set with us: closed it may be, changed never.
        """
        mine: Any = get_hub_if_exists()
        self._buried = [self._hub, mine]
        top: Any = getcurrent()
        while top.parent is not None and top.parent not in self._buried:
            top = top.parent
        for old in {id(each): each for each in self._buried if each is not None}.values():
            old.loop.destroy()
        kind: Any = get_hub_class()
        # libev's default loop, which alone hears of children, cannot be made again if it was polling meanwhile: in
        # another thread than this, and not paused by ``bridge``.
        fresh = kind(None, mine is self._hub or is_module_patched("os"))
        set_hub(fresh)
        hubs.MAIN_THREAD_IDENT = fresh.thread_ident  # type: ignore[attr-defined]  # which of a fork's threads is left, and the main one now
        if top.parent is not None:
            guard = greenlet(self._guard, top.parent.parent)
            guard.switch(getcurrent())
            top.parent = guard

    def _guard(self, born: greenlet) -> NoReturn:
        """What the greenlet that forked returns to when it ends, in the place of the worker's hub."""
        error: BaseException | None = None
        try:
            born.switch()
        except BaseException as raised:  # noqa: BLE001 - the outermost frame of a process
            error = raised
        self._leave(error)

    def _leave(self, error: BaseException | None) -> NoReturn:
        """End as the interpreter would, but for threads, which nobody waits for."""
        code = 0
        if isinstance(error, SystemExit):
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
            if error.code is not None and not isinstance(error.code, int):
                print(error.code, file=sys.stderr)
        elif error is not None and not isinstance(error, GreenletExit):
            code = 1
            self._log.exception("child_failed", error, pid=os.getpid())
        with suppress(BaseException):  # whatever fails now, this process must not go on
            atexit._run_exitfuncs()
            sys.stdout.flush()
            sys.stderr.flush()
            flush()
        os._exit(code & 0xFF)


def _reset_signals() -> None:
    """As a plain Python process has them. A handler that handler code has installed stays."""
    signal.set_wakeup_fd(-1)
    for number in signal.valid_signals():
        handler = getsignal(number)
        if getattr(handler, "__module__", "").startswith("thriftserver."):
            handler = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        if handler is not None:
            with suppress(OSError):  # KILL and STOP
                set_signal(
                    number, handler
                )  # also where nothing changes: the loop's handlers are set behind Python's back
