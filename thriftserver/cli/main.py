"""The command ``thriftserver``: the group that the other files of this folder hang their commands on.

This folder is the composition root: the only one that knows click, and the only one that knows both master and worker.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import click

import thriftserver
from thriftserver.errors import IdlError, ThriftServerError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: Commands by name, with what they are for; each is a function of that name in the file of that name.
COMMANDS = {
    "run": "Serve a Thrift IDL with a handler.",
    "check": "Compare a handler with its IDL.",
    "call": "Call a method and print the result.",
    "describe": "Show the IDL of a server or a file.",
    "bench": "Make many calls, and tell how long they take.",
    "doctor": "Say what speaks at an address, and what is wrong.",
    "mock": "Serve valid answers made up from an IDL.",
    "idl": "Check and compare IDL files.",
    "generate": "Write Python packages with types for IDL files.",
    "new": "Make a project to begin with.",
    "ctl": "Talk to a running server.",
    "tap": "Show the calls of a running server.",
    "capture": "Keep the calls of a running server in a file.",
    "replay": "Make captured calls again, and compare.",
    "top": "Watch a running server.",
    "completion": "Print what makes a shell complete commands.",
    "man": "Print the manual page.",
}
#: Set by the scripts of ``completion``: which shell asks.
_COMPLETE = "_THRIFTSERVER_COMPLETE"


class Commands(click.Group):
    """A group that imports a command when it is asked for: starting a server needs no other command."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = getattr(import_module(f"thriftserver.cli.{cmd_name}"), cmd_name)
        found.short_help = COMMANDS[cmd_name]
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """Likewise."""
        from click.shell_completion import CompletionItem

        names = [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(thriftserver.__version__, prog_name="thriftserver", message="%(prog)s %(version)s")
def cli() -> None:
    """Serve Apache Thrift services from IDL files loaded at run time."""


def _need_streams() -> None:
    """Open what a careless parent closed: else the next file opened gets its number, and what is meant for stderr."""
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            # It gets the lowest number that is free, and stays open.
            setattr(sys, name, open(os.devnull, "w" if fd else "r", encoding="utf-8"))  # noqa: SIM115


def main() -> None:
    """Run the command line and leave: errors of ours become one message and their exit code, never a traceback."""
    _need_streams()
    if _COMPLETE in os.environ:
        from thriftserver.cli.completing import answer

        return answer(cli, os.environ[_COMPLETE])
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except ThriftServerError as error:
        if isinstance(error, IdlError) and error.diagnostics:
            from thriftserver.cli.idl import show

            show(list(error.diagnostics), sys.stderr)
        else:
            click.echo(f"Error: {error}", err=True)
        code = error.exit_code
    except (OSError, MemoryError, RecursionError) as error:  # what a machine, or a file, may do to any program
        from thriftserver.master.walls import sentence

        click.echo(f"Error: {sentence(error)}", err=True)
        code = ThriftServerError.exit_code
    sys.exit(code if isinstance(code, int) else 0)
