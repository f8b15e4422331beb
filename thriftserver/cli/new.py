"""``thriftserver new``: a project to begin with. It only parses and prints."""

from __future__ import annotations

from pathlib import Path

import click

from thriftserver.scaffold.project import make


@click.command()
@click.argument("name", type=click.Path(path_type=Path))
def new(name: Path) -> None:
    """Make a project in the new folder NAME: an IDL, a handler, its test, a configuration, a unit for systemd, a
    Dockerfile, and a README that says how to test and start it.

    \b
    thriftserver new orders

    Exits with 2, and nothing written, if the folder has something in it or NAME cannot be that of a Python package.
    """
    for path in make(name):
        click.echo(name / path)
    click.echo(f"Next: cd {name}, and what its README.md says.", err=True)
