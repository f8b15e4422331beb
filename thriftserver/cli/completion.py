"""``thriftserver completion``: the script that makes a shell complete what is typed. It only prints."""

from __future__ import annotations

import click

from thriftserver.cli.completing import SHELLS, script


@click.command()
@click.argument("shell", metavar="SHELL", type=click.Choice(list(SHELLS)))
def completion(shell: str) -> None:
    """Print what makes SHELL (bash, zsh or fish) complete commands, options, methods and arguments when Tab is pressed.

    \b
    bash: eval "$(thriftserver completion bash)" in ~/.bashrc
    zsh:  eval "$(thriftserver completion zsh)" in ~/.zshrc, behind compinit
    fish: thriftserver completion fish > ~/.config/fish/completions/thriftserver.fish

    Methods and arguments come from --idl, or from the server at the address that stands in the line already.
    """
    click.echo(script(shell), nl=False)
