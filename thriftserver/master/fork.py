"""A child process, made so that no signal is lost and nothing of the master's stack is unwound in it.

What the child does is the caller's business; it knows no worker and no decision.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress

from thriftserver import log
from thriftserver.assignment import TELL
from thriftserver.errors import BootError
from thriftserver.master import terminal

#: Signals that the master acts on; everything else keeps its meaning.
HANDLED = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGHUP,
    signal.SIGCHLD,
    signal.SIGTTIN,
    signal.SIGTTOU,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGWINCH,
)
#: Those that people, and terminals, send to a whole group and mean the master.
_MASTERS_OWN = (signal.SIGHUP, signal.SIGINT)
#: What tells a child to go. Until it has handlers of its own it has nothing to finish, and goes.
_LEAVE = (signal.SIGTERM, signal.SIGQUIT, signal.SIGUSR2)


def fork(work: Callable[[], int], private: Iterable[int]) -> int:
    """The pid of a child that does ``work`` and exits with what it returns; ``private`` is closed in it.

    Raises OSError when the system gives no process.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody reads it any more: that is no reason for no child
            stream.flush()
    # With signals blocked, one that arrives now is the parent's or the child's, never lost between the two.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        pid = os.fork()
        if pid == 0:
            _live(work, private, before)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return pid


def _live(work: Callable[[], int], private: Iterable[int], mask: set[int | signal.Signals]) -> None:
    code = BootError.exit_code
    try:
        signal.set_wakeup_fd(-1)
        for number in HANDLED:
            signal.signal(number, signal.SIG_DFL)
        for number in _MASTERS_OWN:
            signal.signal(number, lambda *_: None)
        terminal.ignore()
        signal.signal(TELL, lambda *_: None)  # there is nothing to tell yet
        for number in _LEAVE:
            signal.signal(number, _leave)
        signal.signal(signal.SIGUSR1, lambda *_: log.reopen())
        for fd in private:
            with suppress(OSError):
                os.close(fd)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        code = work()
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _leave(*_: object) -> None:
    log.flush()
    os._exit(0)
