"""``thriftserver idl``: what is wrong with an IDL, and what it means."""

import click


@click.group()
def idl() -> None:
    """Check and dump IDL files."""
