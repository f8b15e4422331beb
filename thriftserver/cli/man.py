"""``thriftserver man``: the manual page, made of the same texts as ``--help``. It only formats and prints."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

import thriftserver
from thriftserver.config import ENV_PREFIX

#: Where the rest is told.
_MORE = "https://github.com/thriftserver/thriftserver/tree/main/docs"
#: What begins a paragraph that click leaves as it is.
_VERBATIM = "\b"


@click.command()
@click.pass_context
def man(context: click.Context) -> None:
    """Print the manual page, which an installation has in share/man: `man thriftserver`.

    \b
    thriftserver man | man -l -
    """
    root = context.find_root().command
    click.echo("\n".join(page(root)))


def page(root: click.Command) -> Iterator[str]:
    """The lines of the page, in the macros of man(7)."""
    yield f'.TH THRIFTSERVER 1 "" "thriftserver {thriftserver.__version__}" "User Commands"'
    yield from (".SH NAME", rf"thriftserver \- {_text(_summary(root))}")
    yield from (".SH SYNOPSIS", ".B thriftserver", r"\fICOMMAND\fR [\fIOPTION\fR]... [\fIARGUMENT\fR]...")
    yield ".SH COMMANDS"
    with click.Context(root, info_name="thriftserver", max_content_width=10_000) as context:
        told: set[tuple[str, str]] = set()
        for command, inner in _commands(root, context):
            yield from _section(command, inner, told)
    yield ".SH ENVIRONMENT"
    yield _text(
        f"Every option of thriftserver run is also a variable: {ENV_PREFIX}WORKERS for --workers, and so on; what is "
        "repeatable has commas in between. The command line comes first, then the environment, then the file."
    )
    yield from (".SH SEE ALSO", _text(_MORE))


def _summary(root: click.Command) -> str:
    text = (root.help or "").strip().partition("\n")[0].rstrip(".")
    return text[0].lower() + text[1:]


def _commands(command: click.Command, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """Every command that does something, those of groups behind their group."""
    if not isinstance(command, click.Group):
        yield command, context
        return
    if context.parent is not None:
        yield command, context
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        if inner is not None and not inner.hidden:
            with click.Context(inner, info_name=name, parent=context) as its:
                yield from _commands(inner, its)


def _section(command: click.Command, context: click.Context, told: set[tuple[str, str]]) -> Iterator[str]:
    """One command. What most of its options are, if another one has ``told`` of them, is not told again."""
    yield f".SS {_text(context.command_path.partition(' ')[2])}"
    pieces = " ".join(command.collect_usage_pieces(context))
    yield rf"\fB{_text(context.command_path)}\fR {_text(pieces)}"
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(command.help or "")):
        yield from _paragraph(paragraph)
    options = [each for each in command.get_params(context) if "--help" not in each.opts]
    records = [record for each in options if (record := each.get_help_record(context)) is not None]
    new = [each for each in records if each not in told]
    for name, text in new if len(new) < len(records) / 2 else records:
        yield from (".TP", rf"\fB{_text(name)}\fR", _text(text))
    told.update(records)


def _paragraph(text: str) -> Iterator[str]:
    if text.startswith(_VERBATIM):
        yield from (".PP", ".nf", ".RS 4")
        yield from map(_safe, text.splitlines()[1:])
        yield from (".RE", ".fi")
    elif text.strip():
        yield ".PP"
        yield _text(" ".join(text.split()))


def _text(text: str) -> str:
    """Words in one line."""
    return _safe(" ".join(text.split()))


def _safe(line: str) -> str:
    """A line in which nothing is taken for a request."""
    safe = line.replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{safe}" if safe[:1] in (".", "'") else safe
