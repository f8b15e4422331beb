"""``thriftserver check``: does this handler fit this IDL? Every problem, with both places."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from thriftserver.cli.options import config_option, setting_options
from thriftserver.cli.run import settle
from thriftserver.master.place import Place
from thriftserver.rpc.binding import bind, fit, load_middleware, target_of
from thriftserver.rpc.parameters import is_async
from thriftserver.rpc.types import load_types


@click.command()
@setting_options("idl", "include", "handler", "middleware", "types", "service")
@config_option
def check(config: str | None, **cli: Any) -> None:
    """Compare a handler with its IDL.

    Lists missing, misspelt and surplus methods and those that cannot take the arguments of the IDL, each with the line
    of the IDL beside the line of the handler. Exits with 0 if there is nothing to list, else 1.
    """
    _, program = settle(config, cli, Place(os.curdir))
    settings = program.settings
    program.ground.take()
    count = 0
    everything = bind(settings.handler, settings.service, program.modules)
    load_types(settings.types, everything)
    for spec in settings.middleware:
        load_middleware(spec)
    for bound in everything:
        problems = fit(bound)
        count += len(problems)
        for problem in problems:
            click.echo(f"{'error' if problem.fatal else 'warning'}: {problem}")
        if not problems:
            targets = [target_of(bound, function) for function in bound.service.methods()]
            later = sum(map(is_async, targets))
            click.echo(
                f"ok: {bound.spec} answers every method of {bound.service.name} "
                f"({len(targets)}{f', {later} of them async' if later else ''})"
            )
    sys.exit(1 if count else 0)
