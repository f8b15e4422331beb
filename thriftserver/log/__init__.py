"""The log: events in, lines out. The one room that knows structlog; it knows no event by name.

``configure`` once in the master; ``enter_worker`` after a fork; ``reopen`` on USR1 in both; ``flush`` before the end.
Handlers that use structlog or ``logging`` themselves write the same lines, which docs/logging.md describes.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable
from typing import Any

from thriftserver.log.intake import Intake, install
from thriftserver.log.lean import import_structlog
from thriftserver.log.line import (
    ERROR,
    EVENT,
    LEVEL,
    TIME,
    TRACEBACK,
    Console,
    Facts,
    Head,
    Render,
    fitting,
    json_line,
    with_priority,
)
from thriftserver.log.printed import Capture
from thriftserver.log.sink import Sink
from thriftserver.log.values import reason

#: Seconds that the end of a process waits for its last lines.
FAREWELL = 2.0

_sink = Sink()
_head = Head()
#: Facts of any kind as a line, and facts known to be plain.
_render: Render = json_line
_render_plain: Render = json_line
#: What the call that is being served adds to each line; see ``about``.
_about: Callable[[], Facts | None] = dict

#: The root handler of ``logging``, and what catches prints; None where people read the log as it comes.
_intake: Intake | None = None
_capture: Capture | None = None


def _unconfigured() -> Any:
    return import_structlog().get_logger()


#: Makes what a Logger writes with: not by structlog's configuration, which a handler may replace with its own.
_new_logger: Callable[[], Any] = _unconfigured

os.register_at_fork(after_in_child=_head.forked)


class Logger:
    """What other rooms may do with a log: name an event and its facts. Kept tiny so that none depends on structlog."""

    def __init__(self, bound: Any = None) -> None:
        self._bound = bound

    def _log(self) -> Any:
        if self._bound is None:
            self._bound = _new_logger()
        return self._bound

    def bind(self, **facts: object) -> Logger:
        return Logger(self._log().bind(**facts))

    def debug(self, event: str, **facts: object) -> None:
        self._log().debug(event, **facts)

    def info(self, event: str, **facts: object) -> None:
        self._log().info(event, **facts)

    def warning(self, event: str, **facts: object) -> None:
        self._log().warning(event, **facts)

    def error(self, event: str, **facts: object) -> None:
        self._log().error(event, **facts)

    def exception(self, event: str, error: BaseException, **facts: object) -> None:
        """An error with its traceback as the field ``traceback``."""
        self._log().error(event, exc_info=error, **facts)


def configure(level: str = "info", path: str = "", format: str = "auto") -> None:
    """Log events of at least ``level`` to stderr, or to the file ``path``.

    ``format`` is json, console, or auto: colour for people on a terminal, JSON for everything else. Raises ConfigError
    when the file cannot be opened.
    """
    global _render, _render_plain, _intake, _capture, _new_logger
    structlog = import_structlog()  # not at the top: most commands log nothing
    if path:
        _sink.to_file(path)
    else:
        _sink.to_stderr()
    terminal = not path and os.isatty(2)
    prefixed = with_priority if not path and _journald() else lambda render: render
    if format == "console" or (format == "auto" and terminal):
        colors = terminal and not os.environ.get("NO_COLOR")
        _render = _render_plain = fitting(prefixed(Console(_layout(colors))), _sink.limit)
        _capture = None
    else:
        _capture = Capture(_tell_printed, _take_record)
        _render_plain = prefixed(json_line)
        _render = fitting(_render_plain, _sink.limit)
    _sink.tell_lost = lambda count: _render(_head("warning", "log_lines_lost", {"count": count}))
    number: int = getattr(logging, level.upper())
    how: dict[str, Any] = {
        "processors": [structlog.contextvars.merge_contextvars, _compose],
        "wrapper_class": structlog.make_filtering_bound_logger(number),
        "cache_logger_on_first_use": True,
    }
    structlog.configure(logger_factory=_Output, **how)
    _new_logger = lambda: structlog.wrap_logger(_Output(), **how)  # noqa: E731
    _intake = install(_emit, number)


def _tell_printed(text: str, stream: str) -> None:
    _emit("info", "printed", {"stream": stream, "text": text})


def _take_record(record: logging.LogRecord) -> None:
    if _intake is not None:
        _intake.emit(record)


def _layout(colors: bool) -> Callable[[Facts], str]:
    from structlog.dev import Column, ConsoleRenderer, KeyValueColumnFormatter, LogLevelColumnFormatter

    styles = ConsoleRenderer.get_default_level_styles(colors)
    dim, bright, cyan, reset = ("\x1b[2m", "\x1b[1m", "\x1b[36m", "\x1b[0m") if colors else ("", "", "", "")
    columns = [
        Column(TIME, KeyValueColumnFormatter(None, dim, reset, str)),
        Column(LEVEL, LogLevelColumnFormatter(styles, reset)),
        Column(EVENT, KeyValueColumnFormatter(None, bright, reset, str, width=20)),
        Column("", KeyValueColumnFormatter(cyan, "", reset, str)),
    ]
    renderer = ConsoleRenderer(columns=columns, sort_keys=False)
    return lambda facts: str(renderer(None, "", facts))


def enter_worker(number: int) -> None:
    """This process is a worker now: its lines say so, and are written by a thread, so that its loop never waits."""
    _head.now_in(number)
    _sink.write_behind()
    if _capture is not None:
        _capture.install()


def write_behind() -> None:
    """Lines of this process are written by a thread from now on, so that its loop never waits."""
    _sink.write_behind()


def about(facts: Callable[[], Facts | None]) -> None:
    """Ask ``facts`` at each line what it is about: the call that is being served, or None."""
    global _about
    _about = facts


def reopen() -> None:
    """Go on in a new file of the same name, after the old one was moved away. Without ``--log-file``, nothing."""
    try:
        _sink.reopen()
    except OSError as error:
        Logger().error("log_reopen_failed", error=reason(error))


def flush() -> None:
    """Wait for the last lines to be written, for a moment at most."""
    if _capture is not None:
        _capture.finish()
    _sink.flush(FAREWELL)


def retry() -> None:
    """Write what the log had no room for. For a process that writes at once, which is asked to now and then."""
    _sink.retry()


def lost() -> int:
    """Lines of this process that the log could not take."""
    return _sink.lost


def put(level: str, event: str, facts: Facts) -> None:
    """A line by the short way, for what happens ten thousand times a second; whatever the level in force.

    The values must be None, bool, short texts, ints of 64 bits or finite floats.
    """
    line = _head(level, event, facts)
    try:
        data = _render_plain(line)
    except (UnicodeEncodeError, OverflowError):  # half a surrogate pair, a number too large
        data = _render(line)
    _sink.put(data if len(data) <= _sink.limit else _render(line))


def _emit(level: str, event: str, facts: Facts) -> None:
    _sink.put(_compose(None, level, facts | {EVENT: event}))


def _compose(_logger: object, level: str, event: Any) -> bytes:
    """structlog's last processor: the whole line."""
    level = {"warn": "warning", "exception": "error", "fatal": "critical"}.get(level, level)
    error = event.pop("exc_info", None)
    if error is True or isinstance(error, tuple):
        error = (sys.exc_info() if error is True else error)[1]
    line = _head(level, event.pop(EVENT, ""), (_about() or {}) | event)
    line[LEVEL] = level
    if isinstance(error, BaseException):
        line.setdefault(ERROR, reason(error))
        line[TRACEBACK] = error
    return _render(line)


class _Output:
    """What structlog calls with a finished line."""

    def __init__(self, *_: object) -> None:
        self.debug = self.info = self.warning = self.warn = _sink.put
        self.error = self.critical = self.exception = self.fatal = self.log = self.msg = _sink.put


def _journald() -> bool:
    """Is stderr journald's? It says which stream it gave, so that a redirected one is not mistaken for it."""
    told = os.fstat(2)
    return os.environ.get("JOURNAL_STREAM") == f"{told.st_dev}:{told.st_ino}"
