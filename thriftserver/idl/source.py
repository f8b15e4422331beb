"""The text of one IDL file, and places in it: offset to line and column, counted only when somebody asks.

It knows nothing of Thrift's syntax, and raises only ``Unreadable``.
"""

from __future__ import annotations

import os
import stat
from bisect import bisect_right
from typing import Final

from thriftserver.schema.model import Home, Where

#: Bytes an IDL file may have. The largest known ones have some hundred thousand.
MAX_SIZE: Final = 4_000_000

TOO_LARGE: Final = f"it is larger than {MAX_SIZE:,} bytes"


class Unreadable(Exception):
    """A file cannot be had as text; ``str()`` says why."""


class Source:
    """One file. ``path`` is what messages show, ``key`` what it is known by: its real path, or its key in memory.

    ``include_dirs`` are the absolute directories that its includes were looked for in.
    """

    __slots__ = ("_starts", "home", "key", "path", "text")

    def __init__(self, path: str, key: str, text: str, include_dirs: tuple[str, ...] = ()) -> None:
        self.path = path
        self.home = Home(key, include_dirs)
        self.key = key
        self.text = text.removeprefix("\ufeff")
        self._starts: list[int] | None = None

    @property
    def module(self) -> str:
        """The name that other files know this one by: its basename up to the last dot, as Apache's compiler has it."""
        name = os.path.basename(self.key)
        return name.rpartition(".")[0] or name

    def starts(self) -> list[int]:
        """Offsets of the first characters of all lines."""
        if self._starts is None:
            starts = [0]
            find, at = self.text.find, 0
            while at := find("\n", at) + 1:
                starts.append(at)
            self._starts = starts
        return self._starts

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both from 1."""
        starts = self.starts()
        line = bisect_right(starts, offset)
        return line, offset - starts[line - 1] + 1

    def where(self, offset: int) -> Where:
        return Where(self.path, *self.place(offset))

    def line(self, number: int) -> str:
        """The text of a line, without its end."""
        starts = self.starts()
        end = starts[number] - 1 if number < len(starts) else len(self.text)
        return self.text[starts[number - 1] : end].rstrip("\r\n")


def read(path: str) -> str:
    """The text of a file on disk. Bytes that are not UTF-8 come back as lone surrogates, for the lexer to point at."""
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                raise Unreadable("it is a directory" if stat.S_ISDIR(about.st_mode) else "it is not a regular file")
            if about.st_size > MAX_SIZE:
                raise Unreadable(TOO_LARGE)
            data = file.read()
    except OSError as error:
        raise Unreadable((error.strerror or str(error)).lower()) from None
    except ValueError as error:  # a NUL in the path
        raise Unreadable(str(error)) from None
    return data.decode("utf-8", "surrogateescape")


def _open_without_waiting(path: str, flags: int) -> int:
    """A FIFO without a writer would block a plain open for ever."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
