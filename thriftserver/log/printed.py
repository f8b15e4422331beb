"""What foreign code prints, or has ``logging`` write to stdout or stderr: lines of the log like any other.

Whoever collects the log reads one JSON object to a line, and a line that is none breaks its reader. A line that is a
JSON object already, by whatever logger, stays as it is. What C code and child processes write, nothing here sees.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

#: Called with the text of a line and the name of its stream.
Tell = Callable[[str, str], None]

#: Bytes after which a line is taken for whole.
LONGEST = 16_384


class Stream(io.BufferedIOBase):
    """Bytes printed to descriptor ``fd``, cut into lines; one under way for each thread or greenlet."""

    def __init__(self, name: str, fd: int, tell: Tell) -> None:
        self._name = name
        self._fd = fd
        self._tell = tell
        self._parts: dict[int, bytes] = {}

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        """For those that pass it on, to a child process for example."""
        return self._fd

    def isatty(self) -> bool:
        return False

    def write(self, data: Any) -> int:
        data = bytes(data)
        writer = threading.get_ident()
        *lines, rest = (self._parts.pop(writer, b"") + data).split(b"\n")
        if len(rest) > LONGEST:
            lines.append(rest)
        elif rest:
            self._parts[writer] = rest
        for line in lines:
            self._line(line)
        return len(data)

    def finish(self) -> None:
        """Nothing more will come: what is left is a line too."""
        parts, self._parts = self._parts, {}
        for part in parts.values():
            self._line(part)

    def _line(self, line: bytes) -> None:
        if is_event(line):
            with contextlib.suppress(OSError):  # as if print itself had met it: no reason to end a call
                os.write(self._fd, line + b"\n")
        elif line.strip():
            self._tell(line.decode("utf-8", "backslashreplace").rstrip("\r"), self._name)


def is_event(line: bytes) -> bool:
    """Is it a JSON object?"""
    if not line.startswith(b"{"):
        return False
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


class Capture:
    """stdout and stderr of this process, and the stream handlers of ``logging`` that write to either."""

    def __init__(self, tell: Tell, take: Callable[[logging.LogRecord], None]) -> None:
        self._take = take
        self._streams = [Stream(name, fd, tell) for name, fd in (("stdout", 1), ("stderr", 2))]
        #: What the kernel calls the files behind them.
        self._files = {_file(stream) for stream in self._streams}
        self._emit = logging.StreamHandler.emit

    def install(self) -> None:
        """From now on, whatever a handler's code configures later."""
        out, err = self._streams
        sys.stderr = _as_text(err)
        if _file(out) == _file(err):  # a stdout of its own is the handler's, whatever it is for
            sys.stdout = _as_text(out)
        capture = self

        def emit(self: logging.StreamHandler[Any], record: logging.LogRecord) -> None:
            """In place of ``StreamHandler.emit``, for every handler of that kind there will ever be."""
            if capture._is_ours(self):
                capture._take(record)
            else:
                capture._emit(self, record)

        logging.StreamHandler.emit = emit  # type: ignore[method-assign, assignment]

    def finish(self) -> None:
        for stream in self._streams:
            stream.finish()

    def _is_ours(self, handler: logging.StreamHandler[Any]) -> bool:
        stream = handler.stream
        if stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
            return True
        return _file(stream) in self._files - {None}


def _as_text(stream: Any) -> io.TextIOWrapper:
    return io.TextIOWrapper(stream, "utf-8", "backslashreplace", write_through=True)


def _file(stream: Any) -> tuple[int, int] | None:
    """The file that a stream writes to; None when it has none. A null device is nobody's."""
    try:
        told = os.fstat(stream.fileno())
    except (AttributeError, OSError, ValueError, TypeError):
        return None
    return None if told.st_rdev == _NULL else (told.st_dev, told.st_ino)


_NULL = os.stat(os.devnull).st_rdev
