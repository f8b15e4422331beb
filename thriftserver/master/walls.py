"""What stands between the master and an error that nobody has planned: it becomes a sentence and an event, no end.

A reload, a spawn or a command may meet anything: a full table of descriptors, no memory, a directory that is gone, a
file that a parser gives up on. Where it decides nothing, here is what is said of it; what follows is the caller's.
"""

from __future__ import annotations

import errno
import os
import random
import time
from collections.abc import Callable, Iterator

from thriftserver.errors import ThriftServerError
from thriftserver.log import Logger
from thriftserver.log.values import reason
from thriftserver.master import events
from thriftserver.master.events import Event

#: Seconds until the same thing that does not work is told again.
AGAIN = 5.0
#: Seconds of rest after an error: what goes wrong at once goes wrong again, but not a thousand times a second.
REST = 0.02

_ADVICE = {
    errno.EMFILE: "the master may have no more descriptors; raise the limit (ulimit -n, LimitNOFILE=)",
    errno.ENFILE: "the system has no descriptors left",
    errno.EAGAIN: "the system gives no more processes; look at the limits of the user and the cgroup (ulimit -u, "
    "TasksMax=)",
    errno.ENOMEM: "the system gives no more memory",
    errno.ENOSPC: "no space is left where it would be written",
}
#: What a machine may do to any program: told without a traceback, which would say nothing.
_FORESEEN = (ThriftServerError, OSError, MemoryError, RecursionError)


def sentence(error: BaseException) -> str:
    """What to tell people about it."""
    if isinstance(error, ThriftServerError):
        return str(error)
    if isinstance(error, RecursionError):
        return "something in it is nested too deeply"
    if isinstance(error, MemoryError):
        return _ADVICE[errno.ENOMEM]
    if not isinstance(error, OSError):
        return reason(error)
    if error.errno == errno.ENOENT and not _has_directory():
        return "the working directory is gone; restart in one that is there, or give absolute names and --chdir"
    said = error.strerror or reason(error)
    said = f"{error.filename}: {said}" if error.filename else said
    return f"{said}: {_ADVICE[error.errno]}" if error.errno in _ADVICE else said


def instead(action: events.Action, why: str) -> Event | None:
    """What an action that could not be done brings about, where an event is waited for; ``luck`` is drawn."""
    if isinstance(action, events.Spawn):
        return events.SpawnFailed(action.generation, f"cannot start a worker: {why}", random.random())
    if isinstance(action, events.CheckReload):
        return events.ReloadImpossible(f"cannot reload: {why}")
    if isinstance(action, events.StartUpgrade):
        return events.UpgradeFailed(f"cannot start a new master: {why}")
    if isinstance(action, events.Try):
        return events.Judged(False, {}, f"cannot compare it with the old generation: {why}")
    return None


def foreseen(error: BaseException) -> bool:
    """Does its sentence say it all?"""
    return isinstance(error, _FORESEEN)


def _has_directory() -> bool:
    try:
        os.getcwd()
    except OSError:
        return False
    return True


class Walls:
    """Around everything that the master does between two looks at its children. It tells ``log`` what it has held."""

    def __init__(self, log: Logger) -> None:
        self._log = log
        self._told: dict[str, float] = {}

    def around(self, what: str, work: Callable[..., object], *args: object) -> None:
        """Do it, as far as it can be done."""
        try:
            work(*args)
        except Exception as error:  # noqa: BLE001 - the master's wall
            self.tell(what, error)

    def of(self, what: str, source: Iterator[Event]) -> Iterator[Event]:
        """The events of a source, until it fails."""
        try:
            yield from source
        except Exception as error:  # noqa: BLE001 - the master's wall
            self.tell(what, error)

    def tell(self, what: str, error: Exception) -> None:
        """One line, and not for ever the same. An error of our own comes with its traceback."""
        try:
            now = time.monotonic()
            if now < self._told.get(what, 0.0):
                time.sleep(REST)
                return
            self._told[what] = now + AGAIN
            if foreseen(error):
                self._log.error("master_error", doing=what, reason=sentence(error))
            else:
                self._log.exception("master_error", error, doing=what)
        except Exception:  # noqa: BLE001 - no memory even for the line
            time.sleep(REST)
