"""``thriftserver generate``: packages with complete types, made from IDL files. It only parses and prints."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from thriftserver.cli.idl import include_option, load
from thriftserver.idl.loader import Loader
from thriftserver.stubs.package import Package, State, compare, package, write


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path())
@include_option
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    default=".",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the packages go.  [default: the current directory]",
)
@click.option("--check", is_flag=True, help="Write nothing; exit with 1 if what is there is not what would be written.")
@click.option("--force", is_flag=True, help="Overwrite files that were not generated, too.")
def generate(files: tuple[str, ...], include_dirs: tuple[str, ...], output: Path, check: bool, force: bool) -> None:
    """Write a Python package for each IDL file, with types for mypy and pyright.

    The package is called as the file, loads it when it is imported, and has it and all that it includes inside. What is
    up to date is not touched. Exits with 1, the errors on stderr and nothing written, if a file has any.
    """
    made: dict[str, Package] = {}
    for file in files:
        loader = Loader()
        new = package(load(file, include_dirs, loader), loader)
        if made.setdefault(new.name, new) != new:
            raise click.UsageError(f"two files would become the package {new.name}, {file} and one before it")
    packages = list(made.values())
    states = [compare(each, output) for each in packages] if check else write(packages, output, force)
    for each, state in zip(packages, states, strict=True):
        _say(output / each.name, state, check)
    if check and not all(state.current for state in states):
        sys.exit(1)


def _say(folder: Path, state: State, check: bool) -> None:
    if state.current:
        click.echo(f"{folder}: up to date")
    elif check:
        kinds = ("missing", "out of date", "left over", "not generated")
        for kind, paths in zip(kinds, state, strict=True):
            for path in paths:
                click.echo(f"{folder.parent / path}: {kind}")
    else:
        count = len(state.missing) + len(state.changed) + len(state.foreign)
        removed = f", {len(state.stale)} removed" if state.stale else ""
        click.echo(f"{folder}: {count} written{removed}")
