"""Overheard calls in files: written while they come, with a limit and older files beside it, and read again.

A file is a line that says what it is and of which version, and records; compressed as a whole if its name ends with
``.gz``. It can be read while it is written, and where it was cut off.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from heapq import heappop, heappush
from typing import IO, Final

from thriftserver.capture.records import Heard, Record, Schema, Unreadable, split, written
from thriftserver.errors import ConfigError, of_file

#: What each file begins with; another version would be another line.
MAGIC: Final = b"thriftserver calls 1\n"
_GZIP: Final = b"\x1f\x8b"
_LOOK = 1 << 16
#: Calls of several workers are in a file nearly in the order of their arrival: so many apart, at most.
DISORDER: Final = 10_000


class Writer:
    """Writes ``path``, which nobody else may read. From ``limit`` bytes on (0: never) another file is begun.

    The ``kept`` last full ones stay beside it as ``path.1`` (the newest), ``path.2``; without any, it is ``full``.
    Raises ConfigError for a file that is there already, unless it may be replaced. Every later step may raise OSError,
    with the file's name; what was written before is then not all there, and it is not ``intact`` any more.
    """

    def __init__(self, path: str, limit: int = 0, kept: int = 0, *, replace: bool = False) -> None:
        self._path, self._limit, self._kept = path, limit, kept
        self._schemas: dict[str, Schema] = {}
        self._size = 0
        self.full = False
        self.intact = True
        if not replace and os.path.exists(path):
            raise ConfigError(f"{path} is there already: give --force to replace it, or another name")
        self._file = self._begin()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        with self._failing():
            self._close()

    def write(self, record: Schema | Heard) -> None:
        """Keep it. A schema is written once to each file."""
        if isinstance(record, Schema):
            if record.id in self._schemas:
                return
            self._schemas[record.id] = record
        data = written(record)
        if self._limit and self._size + len(data) > self._limit and self._size > len(MAGIC):
            if not self._kept:
                self.full = True
                return
            with self._failing():
                self._turn_over()
        with self._failing():
            self._put(data)

    def flush(self) -> None:
        """What was written can be read."""
        with self._failing():
            self._file.flush()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.intact = False
            raise of_file(error, self._path) from None

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._size += len(data)

    def _begin(self) -> IO[bytes]:
        with suppress(FileNotFoundError):
            os.unlink(self._path)
        try:
            self._plain = open(os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")  # noqa: SIM115
        except OSError as error:
            raise ConfigError(f"cannot write {self._path}: {error.strerror}") from None
        zipped = self._path.endswith(".gz")
        self._file = gzip.GzipFile("", "wb", 6, self._plain, 0) if zipped else self._plain  # type: ignore[assignment]
        self._size = 0
        self._put(MAGIC)
        for schema in self._schemas.values():
            self._put(written(schema))
        return self._file

    def _close(self) -> None:
        try:
            self._file.close()
        finally:
            self._plain.close()  # what is compressed into it leaves it open

    def _turn_over(self) -> None:
        self._close()
        for number in range(self._kept, 0, -1):
            with suppress(FileNotFoundError):
                os.replace(self._named(number - 1), self._named(number))
        self._begin()

    def _named(self, number: int) -> str:
        """Of ``calls.gz`` the first is ``calls.1.gz``, so that its name still says what it is."""
        if not number:
            return self._path
        stem, dot, kind = self._path.rpartition(".gz")
        return f"{stem}.{number}.gz" if dot and not kind else f"{self._path}.{number}"


def read(path: str) -> Iterator[Record]:
    """The records of a file; one that was cut off ends with the last whole one.

    Raises ConfigError for a file that cannot be read or is none of ours.
    """
    try:
        with open(path, "rb") as plain:
            zipped = plain.read(len(_GZIP)) == _GZIP
            plain.seek(0)
            file = gzip.GzipFile(fileobj=plain) if zipped else plain
            if file.read(len(MAGIC)) != MAGIC:
                raise ConfigError(f"{path} holds no calls: thriftserver capture writes such files")
            held = bytearray()
            while data := file.read1(_LOOK):  # which gives what there is before it finds the end missing
                held += data
                yield from split(held)
    except EOFError:  # the end of what was compressed
        return
    except (OSError, Unreadable) as error:
        raise ConfigError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None


def ordered(paths: Sequence[str]) -> Iterator[Schema | Heard]:
    """What is in these files, calls in the order of their arrival."""
    heap: list[tuple[int, int, Heard]] = []
    count = 0
    for path in paths:
        for record in read(path):
            if isinstance(record, Schema):
                yield record
            elif isinstance(record, Heard):
                count += 1
                heappush(heap, (record.at, count, record))
                if len(heap) > DISORDER:
                    yield heappop(heap)[2]
    while heap:
        yield heappop(heap)[2]
