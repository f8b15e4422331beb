"""``thriftserver capture``: calls of a running server into a file, to be replayed. It only parses and prints."""

from __future__ import annotations

import signal
import sys
import time
from typing import Any

import click

from thriftserver.capture.file import Writer
from thriftserver.capture.records import Heard, Lost, Schema
from thriftserver.cli.connecting import parsed
from thriftserver.cli.listening import Listening, listening_options, note
from thriftserver.quantities import count, size

#: Seconds between two lines of progress, on a terminal, and after which a reader sees what was written.
SECOND = 1.0
WARNING = "the file will hold what the IDL says must not be shown: keep it as you keep passwords"


@click.command()
@click.argument("file", metavar="FILE")
@listening_options
@click.option("--max-size", default="1g", show_default=True, metavar="SIZE", help="Bytes of the file; 0: no limit.")
@click.option("--rotate", default="0", metavar="N", help="When it is full begin anew, and keep the N last full ones.")
@click.option("--with-redacted", is_flag=True, help="With what the IDL says must not be shown, so that it can be sent.")
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
def capture(file: str, max_size: str, rotate: str, with_redacted: bool, force: bool, **options: Any) -> None:
    """Keep the calls of a running server in FILE, with their replies, for `thriftserver replay`.

    It is compressed if its name ends with .gz. It ends when it is interrupted, after -n calls, after -z, or when the
    file is full. What the IDL says must not be shown (thriftserver.redact) is not in it: calls with such arguments can
    be read, but not replayed.

    \b
    thriftserver capture calls.gz --control /run/calc.sock -n 10000
    thriftserver capture calls.gz --control /run/calc.sock --max-size 100m --rotate 5 --sample 10%

    Exit codes: 0 done, 1 refused, 2 wrong usage, 3 no server there, or it has ended.
    """
    listening = Listening.of(secrets=with_redacted, **options)
    limit, kept = parsed("--max-size", size, max_size), parsed("--rotate", count, rotate)
    if with_redacted:
        note(f"warning: {WARNING}")
    writer = Writer(file, limit, kept, replace=force)
    kept_calls = _Kept(writer)
    try:
        with writer:
            kept_calls.all_of(listening)
    finally:
        _progress(None, 0)
        note(kept_calls.told(file))


class _Kept:
    """The calls that are kept: how many there are, and how many were not."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._over = _Over()
        self._written = self._lost = 0

    def all_of(self, listening: Listening) -> None:
        """Until it is enough."""
        writer, told = self._writer, time.monotonic()
        for record in listening.records():
            match record:
                case Schema():
                    writer.write(record)
                case Heard():
                    writer.write(record)
                    self._written += not writer.full
                case Lost():
                    self._lost += record.count
            if self._over.asked or writer.full or (listening.number and self._written >= listening.number):
                break
            if time.monotonic() - told > SECOND:
                told = time.monotonic()
                writer.flush()
                _progress(self._written, self._lost)

    def told(self, file: str) -> str:
        """What is in the file, once it is closed."""
        if not self._writer.intact:
            return f"of {self._written:,} calls the first are in {file}, as far as there was room"
        why = "; the file is full" if self._writer.full else ""
        missed = f", {self._lost:,} came too fast and are not in it" if self._lost else ""
        return f"{self._written:,} calls in {file}{missed}{why}"


class _Over:
    """INT and TERM, noticed between two calls: no file is left half turned over, no call half written."""

    def __init__(self) -> None:
        self.asked = False
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._ask)

    def _ask(self, *_: object) -> None:
        self.asked = True


def _progress(calls: int | None, lost: int) -> None:
    """A line that the next one replaces; None: nothing more comes."""
    if sys.stderr.isatty():
        text = "" if calls is None else f"{calls:,} calls" + (f", {lost:,} lost" if lost else "")
        click.echo(f"\r\x1b[K{text}", nl=False, err=True)
