"""What is wrong with an IDL, as data and as the text a person reads.

It knows sources and offsets in them, and nothing of what they say.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from thriftserver.idl.source import Source
from thriftserver.schema.model import Where

Severity = Literal["error", "warning"]

#: Diagnostics shown in one report; the others are counted.
SHOWN: Final = 50
#: Columns of a source line that are shown; longer lines are cut around the place that matters.
WIDTH: Final = 160


class Span(NamedTuple):
    """From one offset of a source up to another."""

    source: Source
    start: int
    end: int

    @property
    def where(self) -> Where:
        return self.source.where(self.start)


class Note(NamedTuple):
    """Something said beside the main message, about another place or about none."""

    message: str
    span: Span | None = None


class Diagnostic(NamedTuple):
    """One thing wrong. ``span`` is None when there is no text to point at (the file cannot be read)."""

    severity: Severity
    message: str
    path: str
    span: Span | None = None
    notes: tuple[Note, ...] = ()
    help: str = ""
    #: The include statements that led here, innermost first.
    chain: tuple[Span, ...] = ()

    @property
    def line(self) -> int:
        return self.span.where.line if self.span else 0

    @property
    def column(self) -> int:
        return self.span.where.column if self.span else 0

    def __str__(self) -> str:
        place = str(self.span.where) if self.span else self.path
        return f"{place}: {self.severity}: {self.message}"


class Report:
    """Collects the diagnostics of one file while it is read."""

    __slots__ = ("chain", "diagnostics", "source")

    def __init__(self, source: Source, chain: tuple[Span, ...] = ()) -> None:
        self.source = source
        self.chain = chain
        self.diagnostics: list[Diagnostic] = []

    def span(self, start: int, end: int) -> Span:
        return Span(self.source, start, end)

    def error(self, start: int, end: int, message: str, *notes: Note, help: str = "") -> None:
        self._add("error", start, end, message, notes, help)

    def warning(self, start: int, end: int, message: str, *notes: Note, help: str = "") -> None:
        self._add("warning", start, end, message, notes, help)

    def _add(self, severity: Severity, start: int, end: int, message: str, notes: tuple[Note, ...], help: str) -> None:
        span = self.span(start, end)
        self.diagnostics.append(Diagnostic(severity, message, self.source.path, span, notes, help, self.chain))

    @property
    def failed(self) -> bool:
        return any(diagnostic.severity == "error" for diagnostic in self.diagnostics)


def in_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Sorted by place, file by file in the order in which the files came, and each thing said once."""
    unique = list(dict.fromkeys(diagnostics))
    rank = {path: number for number, path in enumerate(dict.fromkeys(diagnostic.path for diagnostic in unique))}
    return sorted(unique, key=lambda found: (rank[found.path], found.span.start if found.span else -1))


def render(diagnostics: Sequence[Diagnostic], color: bool = False) -> str:
    """The whole report: every diagnostic with its line of source, errors before a cut, and a last line that counts."""
    paint = _paint if color else _plain
    shown = diagnostics
    if len(diagnostics) > SHOWN:
        errors = [found for found in diagnostics if found.severity == "error"]
        shown = (errors or diagnostics)[:SHOWN]
    parts = [_render_one(found, paint) for found in shown]
    if len(diagnostics) > len(shown):
        parts.append(f"... and {len(diagnostics) - len(shown)} more")
    parts.append(_count(diagnostics))
    return "\n\n".join(parts)


def _count(diagnostics: Sequence[Diagnostic]) -> str:
    errors = sum(found.severity == "error" for found in diagnostics)
    counts = {"error": errors, "warning": len(diagnostics) - errors}
    return ", ".join(f"{number} {word}{'s' * (number != 1)}" for word, number in counts.items() if number)


Paint: TypeAlias = Callable[[str, str], str]


def _plain(text: str, style: str) -> str:
    del style
    return text


_STYLES: Final = {"error": "1;31", "warning": "1;33", "note": "1;36", "help": "1;32", "bold": "1", "gutter": "34"}


def _paint(text: str, style: str) -> str:
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m"


def _render_one(found: Diagnostic, paint: Paint) -> str:
    place = str(found.span.where) if found.span else found.path
    severity, message = paint(f"{found.severity}:", found.severity), paint(_printable(found.message), "bold")
    lines = [f"{paint(f'{place}:', 'bold')} {severity} {message}"]
    if found.span:
        lines += _snippet(found.span, found.severity, paint)
    for note in found.notes:
        before = f"{paint(str(note.span.where) + ':', 'bold')} " if note.span else ""
        lines.append(f"{before}{paint('note:', 'note')} {_printable(note.message)}")
        if note.span:
            lines += _snippet(note.span, "note", paint)
    if found.help:
        lines.append(f"{paint('help:', 'help')} {_printable(found.help)}")
    for include in found.chain:
        lines.append(f"{paint(str(include.where) + ':', 'bold')} {paint('note:', 'note')} included from here")
    return "\n".join(lines)


def _snippet(span: Span, style: str, paint: Paint) -> list[str]:
    """The line of source and a caret under the exact token; tabs stay tabs, so that both lines are indented alike."""
    number, column = span.source.place(span.start)
    line = span.source.line(number)
    start = min(column - 1, len(line))
    end = max(start + 1, min(start + span.end - span.start, len(line)))
    line, start, end = _cut(line, start, end)
    gutter = f"{number:>5} | "
    pad = "".join("\t" if char == "\t" else " " * _columns(char) for char in line[:start])
    marks = "^" * max(1, sum(_columns(char) for char in line[start:end]))
    return [paint(gutter, "gutter") + _printable(line), paint("      | ", "gutter") + pad + paint(marks, style)]


def _cut(line: str, start: int, end: int) -> tuple[str, int, int]:
    if len(line) <= WIDTH:
        return line, start, end
    first = max(0, start - WIDTH // 2)
    head = "..." if first else ""
    tail = "..." if first + WIDTH < len(line) else ""
    moved = start - first + len(head)
    return head + line[first : first + WIDTH] + tail, moved, min(moved + end - start, len(head) + WIDTH)


def _columns(char: str) -> int:
    """Columns a character takes on a terminal."""
    if char.isascii():
        return 1
    if unicodedata.combining(char) or unicodedata.category(char) in ("Cf", "Me", "Mn"):
        return 0 if char.isprintable() else 1
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _printable(text: str) -> str:
    """No character of a file may drive the terminal: control characters and broken bytes are shown as U+FFFD."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\t" else "\ufffd" for char in text)
