"""What comes into the log without knowing it: ``logging``, ``warnings``, and exceptions that nobody catches.

Each becomes an event like any other, with what was said as a fact of it: no text of a library can pass for an event.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

#: Called with level, event and facts.
Emit = Callable[[str, str, dict[str, Any]], None]


#: What is noted on a record that is a line already: a logger may have several handlers.
_TAKEN = "_thriftserver_taken"


class Intake(logging.Handler):
    """The root handler of ``logging``."""

    def __init__(self, emit: Emit) -> None:
        super().__init__()
        self._emit = emit

    def createLock(self) -> None:  # noqa: N802 - logging's name
        """None is needed: a line is written in one piece."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> bool:
        """What logging does, without the lock."""
        passed = self.filter(record)
        if passed:
            self.emit(passed if isinstance(passed, logging.LogRecord) else record)
        return bool(passed)

    def emit(self, record: logging.LogRecord) -> None:
        if record.__dict__.get(_TAKEN):  # by a handler of the logger's own, before it came up here
            return
        record.__dict__[_TAKEN] = True
        facts: dict[str, Any] = {"logger": record.name}
        try:
            facts["message"] = record.getMessage()
        except Exception as error:  # noqa: BLE001 - a format that does not fit its arguments loses no record
            facts |= {"message": str(record.msg), "problem": f"cannot be formatted: {type(error).__name__}"}
        if record.exc_info and record.exc_info[1] is not None:
            facts["exc_info"] = record.exc_info[1]
        if record.stack_info:
            facts["stack"] = record.stack_info
        self._emit(_level(record.levelno), "log", facts)


def _level(number: int) -> str:
    for name in ("critical", "error", "warning", "info"):
        if number >= getattr(logging, name.upper()):
            return name
    return "debug"


def install(emit: Emit, level: int) -> Intake:
    """Route all of it into ``emit``, and nowhere else."""
    root = logging.getLogger()
    intake = Intake(emit)
    root.handlers[:] = [intake]
    root.setLevel(level)
    logging.captureWarnings(True)

    def thread_failed(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            emit("error", "thread_failed", {"thread": getattr(args.thread, "name", ""), "exc_info": args.exc_value})

    def unraisable(args: Any) -> None:
        emit("error", "exception_ignored", {"source": args.object, "exc_info": args.exc_value})

    threading.excepthook = thread_failed
    sys.unraisablehook = unraisable
    return intake
