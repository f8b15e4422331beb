"""The command ``thriftserver``: the group that the other files of this folder hang their commands on.

This folder is the composition root: the only one that knows click, and the only one that knows both master and worker.
"""

from __future__ import annotations

import os
import sys

import click

import thriftserver
from thriftserver.cli.call import call
from thriftserver.cli.check import check
from thriftserver.cli.ctl import ctl
from thriftserver.cli.idl import idl, show
from thriftserver.cli.run import run
from thriftserver.cli.top import top
from thriftserver.errors import IdlError, ThriftServerError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(thriftserver.__version__, prog_name="thriftserver", message="%(prog)s %(version)s")
def cli() -> None:
    """Serve Apache Thrift services from IDL files loaded at run time."""


for command in (run, check, call, idl, ctl, top):
    cli.add_command(command)


def _need_streams() -> None:
    """Open what a careless parent closed: else the next file opened gets its number, and what is meant for stderr."""
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            # It gets the lowest number that is free, and stays open.
            setattr(sys, name, open(os.devnull, "w" if fd else "r", encoding="utf-8"))  # noqa: SIM115


def main() -> None:
    """Run the command line and leave: errors of ours become one message and their exit code, never a traceback."""
    _need_streams()
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        code = 130
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except ThriftServerError as error:
        if isinstance(error, IdlError) and error.diagnostics:
            show(list(error.diagnostics), sys.stderr)
        else:
            click.echo(f"Error: {error}", err=True)
        code = error.exit_code
    sys.exit(code if isinstance(code, int) else 0)
