"""``thriftserver idl``: what is wrong with an IDL, what it means, and what a new version of it breaks.

It prints what the IDL front end says and decides nothing about Thrift.
"""

from __future__ import annotations

import json
import sys
from typing import IO, Any

import click

from thriftserver.cli.connecting import Target, connecting_options, is_address, is_file
from thriftserver.cli.paint import colored, echo
from thriftserver.idl.diagnostics import Diagnostic, in_order, render
from thriftserver.idl.dump import dump as dump_module
from thriftserver.idl.loader import Loader
from thriftserver.schema.change import Change
from thriftserver.schema.compat import compare, deployed
from thriftserver.schema.model import Module

include_option = click.option(
    "-I",
    "--include",
    "include_dirs",
    metavar="DIR",
    multiple=True,
    type=click.Path(file_okay=False),
    help="Look for included files here too, after the directory of the file that includes them. May be repeated.",
)


@click.group()
def idl() -> None:
    """Check, dump and compare IDL files."""


@idl.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path())
@include_option
def check(files: tuple[str, ...], include_dirs: tuple[str, ...]) -> None:
    """List everything that is wrong with IDL files and the files they include.

    Each problem comes with its place, the line of source and what to do. Exits with 1 if there are errors, else 0;
    warnings alone are no failure.
    """
    loader = Loader()
    found: list[Diagnostic] = []
    for file in files:
        found += loader.check(file, include_dirs)[1]
    found = in_order(found)
    if found:
        show(found, sys.stdout)
    if any(diagnostic.severity == "error" for diagnostic in found):
        sys.exit(1)
    click.echo(f"ok: {len(files)} file{'s' * (len(files) != 1)} without errors")


@idl.command()
@click.argument("file", metavar="FILE", type=click.Path())
@include_option
@click.option("-o", "--output", metavar="OUT", type=click.Path(dir_okay=False), help="Write to this file, not stdout.")
def dump(file: str, include_dirs: tuple[str, ...], output: str | None) -> None:
    """Write what an IDL file defines as JSON, every name and constant resolved.

    The format is described in docs/idl.md. Exits with 1, the errors on stderr and nothing written, if there are any.
    """
    module = load(file, include_dirs)
    text = json.dumps(dump_module(module), indent=1, ensure_ascii=False) + "\n"
    if output is None:
        click.echo(text.encode(), nl=False)
        return
    try:
        with open(output, "wb") as target:
            target.write(text.encode())
    except OSError as error:
        raise click.FileError(output, error.strerror or str(error)) from error


@idl.command()
@click.argument("old", metavar="OLD|ADDRESS", type=click.Path())
@click.argument("new", metavar="NEW...", nargs=-1, required=True, type=click.Path())
@include_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of lines.")
@connecting_options
def diff(old: str, new: tuple[str, ...], include_dirs: tuple[str, ...], as_json: bool, **connecting: Any) -> None:
    """Compare two versions of an IDL file and of all it includes: does the new one break clients of the old one?

    Instead of the old file, the ADDRESS of a running server: would a deploy of the new ones break its clients? Only
    what it serves counts then, and NEW are all files that it is to serve.

    One line a change, those that break first; docs/idl.md has the rules. Exits with 1 if something breaks or a file has
    errors, 6 if the server does not tell its IDL, 7 if it does not answer, else 0.
    """
    if is_file(old) or not is_address(old):
        changes = compare([load(old, include_dirs)], [load(each, include_dirs) for each in new])
    else:
        told = Target.of(old, **connecting).told()
        changes = deployed(told.modules, [load(each, include_dirs) for each in new], told.services)
    breaks = sum(change.severity == "breaking" for change in changes)
    if as_json:
        data = {"breaking": breaks, "compatible": len(changes) - breaks, "changes": [each.plain() for each in changes]}
        click.echo(json.dumps(data, indent=1))
    else:
        color = colored(sys.stdout)
        for change in changes:
            echo(_paint(change) if color else str(change), sys.stdout, color)
        echo(f"{breaks} breaking, {len(changes) - breaks} compatible" if changes else "no changes", sys.stdout, color)
    if breaks:
        sys.exit(1)


def load(file: str, include_dirs: tuple[str, ...], loader: Loader | None = None) -> Module:
    """The module of a file; with errors, they are printed and this is the end. Without a loader it is read anew."""
    module, found = (loader or Loader()).check(file, include_dirs)
    if module is None:
        show([diagnostic for diagnostic in found if diagnostic.severity == "error"], sys.stderr)
        sys.exit(1)
    return module


def _paint(change: Change) -> str:
    severity = click.style(f"{change.severity}:", fg="red" if change.severity == "breaking" else "cyan", bold=True)
    return f"{click.style(f'{change.place}:', bold=True)} {severity} {change.text}"


def show(found: list[Diagnostic], stream: IO[Any]) -> None:
    """Print a report, in colour on a terminal unless NO_COLOR asks for none."""
    color = colored(stream)
    echo(render(found, color=color), stream, color)
