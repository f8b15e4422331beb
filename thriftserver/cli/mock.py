"""``thriftserver mock``: a server of made-up answers. It only parses: ``run`` serves, with handlers of ``mocking``."""

from __future__ import annotations

from functools import partial
from typing import Any

import click
from msgspec import structs

from thriftserver.assignment import Ground, Program
from thriftserver.cli.connecting import place
from thriftserver.cli.options import config_option, offer, setting_options
from thriftserver.cli.run import launch, require_sense
from thriftserver.client.sync import Client
from thriftserver.config import OPTIONS, Settings
from thriftserver.errors import ConfigError
from thriftserver.idl.loader import Loader
from thriftserver.mocking.mock import Mock
from thriftserver.mocking.sources import services, unpack
from thriftserver.reflection.asking import ask

#: What is about handlers, and about who relies on them.
_OTHERS = ("handler", "types", "allow_breaking")
#: Seconds that a server may take to tell its IDL.
_PATIENCE = 10.0


@click.command()
@click.argument("address", required=False)
@click.option(
    "--examples",
    metavar="FILE",
    default="",
    shell_complete=offer("files"),
    help="Answers, as JSON by method or as lines; see below.",
)
@click.option(
    "--delay",
    multiple=True,
    metavar="METHOD=DURATION[..DURATION]",
    shell_complete=offer("rules"),
    help="Let calls of a method take so long, or any time between two; * is every method; repeatable.",
)
@click.option(
    "--fail",
    multiple=True,
    metavar="METHOD=SHARE:KIND",
    shell_complete=offer("rules"),
    help="Let a share of the calls fail: with an exception that the method declares, with TIMEOUT, INTERNAL_ERROR or "
    "another error of Thrift's, or with DROP, which ends the connection; repeatable.",
)
@click.option("--seed", default="0", show_default=True, metavar="TEXT", help="What decides all chance.")
@setting_options(*(row.name for row in OPTIONS if row.name not in _OTHERS))
@config_option
def mock(
    address: str | None,
    examples: str,
    delay: tuple[str, ...],
    fail: tuple[str, ...],
    seed: str,
    config: str | None,
    **cli: Any,
) -> None:
    """Serve valid answers that are made up from an IDL: that of --idl, or of the server at ADDRESS, which tells it.

    \b
    thriftserver mock --idl idl/calculator.thrift --delay 'add=10ms..50ms' --fail 'divide=10%:DivisionByZero'

    One seed answers a call with the same arguments alike, in each worker and each run. An example is
    {"args": {"id": 1}, "result": {"name": "Ada"}}, or has "exception" and "value", or "error". Its arguments need not
    be all that there are; without any it is for every call, and several take turns. The file has an object of lists of
    them by method, or a line for each, with its "method".

    All else is as with `thriftserver run`; HUP reads IDL and examples anew.
    """
    told = ask(partial(_client, *place(address)), address) if address else None

    def make(settings: Settings, ground: Ground) -> Program:
        if bool(settings.idl) == (told is not None):
            raise ConfigError("give the IDL as --idl FILE.thrift, or the address of a server that tells it")
        loader = Loader()
        if told is None:
            modules = tuple(loader.load(path, settings.include) for path in settings.idl)
        else:
            modules = unpack(told, loader)
        names = (settings.service,) if settings.service else told.services if told else ()
        served = services(modules, names)
        require_sense(settings, served)
        made = Mock(seed, examples, delay, fail)
        made.require_sense(served)
        settings = structs.replace(settings, handler=(), types=())  # of a file that is for `thriftserver run`, too
        return Program(settings, loader, modules, tuple(each.name for each in served), ground, made.handler)

    launch(config, cli | {"allow_breaking": True}, make)


def _client(host: str, port: int, kind: type[Client], service: str) -> Client:
    return kind(host, port, service=service, timeout=_PATIENCE)
