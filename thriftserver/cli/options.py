"""Command-line options made from the rows of ``config``: a row there is a flag here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from thriftserver.config import ENV_PREFIX, OPTIONS, Option, flag

Command = Callable[..., Any]


#: What completes a value that is called so in help texts.
_FILLED = {"FILE": "files", "PATH": "files", "DIR": "folders"}


def offer(name: str) -> Callable[..., Any]:
    """What completes a value: the function of this name in ``completing``, which is imported when somebody asks."""

    def complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> Any:
        from thriftserver.cli import completing

        return getattr(completing, name)(context, parameter, incomplete)

    return complete


def one_of(*words: str) -> Callable[..., Any]:
    """What completes a value that must be one of these."""
    return lambda _context, _parameter, incomplete: [each for each in words if each.startswith(incomplete)]


def setting_options(*only: str) -> Callable[[Command], Command]:
    """Decorate a command with an option for each setting, or for those named. Values are unparsed; None: absent."""

    def decorate(command: Command) -> Command:
        for row in reversed(OPTIONS):
            if not only or row.name in only:
                command = _option(row)(command)
        return command

    return decorate


def config_option(command: Command) -> Command:
    """Decorate a command with ``--config``, the one option that no file can hold."""
    option = click.option(
        "-c",
        "--config",
        metavar="FILE",
        shell_complete=offer("files"),
        help=f"TOML file with options by their long names. Also {ENV_PREFIX}CONFIG.",
    )
    return option(command)


def _option(row: Option) -> Callable[[Command], Command]:
    if isinstance(row.default, bool):
        name = flag(row.name) if not row.default else f"{flag(row.name)}/{flag('no_' + row.name)}"
        help = row.help + _note(row, "on" if row.default else "off")
        return click.option(name, row.name, is_flag=True, default=None, help=help)
    default = ", ".join(row.default) if isinstance(row.default, tuple) else str(row.default).removesuffix(".0")
    return click.option(
        *row.flags,
        flag(row.name),
        row.name,
        multiple=row.repeatable,
        metavar=row.metavar,
        shell_complete=_completed(row),
        help=row.help + _note(row, default),
    )


def _completed(row: Option) -> Any:
    """What completes an option's value; None where nobody knows what may be."""
    words = getattr(row.parse, "words", ())
    if words:
        return one_of(*words)
    return offer(_FILLED[row.metavar]) if row.metavar in _FILLED else None


def _note(row: Option, default: str) -> str:
    notes = [f"default: {default}"] if default else []
    notes += [] if row.reloadable else ["kept over a reload"]
    return f"  [{'; '.join(notes)}]" if notes else ""
