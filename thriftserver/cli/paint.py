"""Colour for people: only on a terminal, and not where NO_COLOR is set; texts that its encoding can hold."""

from __future__ import annotations

import os
import re
from typing import IO, Any

import click

#: What moves a terminal's cursor, or worse: all that a server says may be anything.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def colored(stream: IO[Any]) -> bool:
    """Is somebody looking who sees colours?"""
    return stream.isatty() and not os.environ.get("NO_COLOR")


def echo(text: str, stream: IO[Any], color: bool) -> None:
    """Print; the encoding of a terminal may lack letters."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    click.echo(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, color=color)


def harmless(text: str) -> str:
    """A text of a stranger's, in which nothing steers a terminal."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)
