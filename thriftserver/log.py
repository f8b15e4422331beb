"""The one place that knows structlog: how events become lines on stderr.

One event is one line and one ``write``, so that lines of several processes never mix. It knows no event by name.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from typing import Any, TextIO, cast

import structlog


class Logger:
    """What other rooms may do with a log: name an event and its facts. Kept tiny so that none depends on structlog."""

    def __init__(self, bound: Any = None) -> None:
        self._bound = structlog.get_logger() if bound is None else bound

    def bind(self, **facts: object) -> Logger:
        return Logger(self._bound.bind(**facts))

    def debug(self, event: str, **facts: object) -> None:
        self._bound.debug(event, **facts)

    def info(self, event: str, **facts: object) -> None:
        self._bound.info(event, **facts)

    def warning(self, event: str, **facts: object) -> None:
        self._bound.warning(event, **facts)

    def error(self, event: str, **facts: object) -> None:
        self._bound.error(event, **facts)

    def exception(self, event: str, error: BaseException, **facts: object) -> None:
        """An error with its traceback as the field ``traceback``."""
        self._bound.error(event, exc_info=error, **facts)


class _Sink:
    """A line is one ``write`` to the descriptor; a log that cannot be written (full disk, gone pipe) stops nobody."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, line: str) -> None:
        data = line.encode("utf-8", "backslashreplace")
        with contextlib.suppress(OSError):
            while data:
                data = data[os.write(self._descriptor, data) :]

    def flush(self) -> None:
        """Nothing is held back."""


def _rename_traceback(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    if "exception" in event:
        event["traceback"] = event.pop("exception")
    return event


def _order(_logger: object, _name: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """What and when first: a line is read from the left."""
    return {key: event.pop(key) for key in ("time", "level", "event") if key in event} | dict(event)


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Send events of at least ``level`` to ``stream`` (stderr): JSON, or colour for people when it is a terminal."""
    out = sys.stderr if stream is None else stream
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    if out.isatty():
        tail: list[structlog.typing.Processor] = [structlog.dev.ConsoleRenderer(timestamp_key="time")]
    else:
        tail = [structlog.processors.format_exc_info, _rename_traceback, _order, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=shared + tail,
        wrapper_class=structlog.make_filtering_bound_logger(cast(int, getattr(logging, level.upper()))),
        logger_factory=structlog.WriteLoggerFactory(file=cast(TextIO, _Sink(out.fileno()))),
        cache_logger_on_first_use=True,
    )
