"""What the commands that overhear a server have in common: which calls they want, and for how long. It parses."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import click
import msgspec

from thriftserver.capture.listening import listen
from thriftserver.capture.records import Began, Record
from thriftserver.capture.wanted import Wanted
from thriftserver.cli.connecting import parsed
from thriftserver.cli.ctl import NoServer, ask
from thriftserver.cli.options import Command
from thriftserver.config import ENV_PREFIX
from thriftserver.errors import ConfigError
from thriftserver.quantities import count, duration, share
from thriftserver.scoreboard.layout import OUTCOMES

#: Seconds to wait for the next master, where one upgrades.
SUCCESSOR = 2.0


def _control(context: click.Context, _parameter: click.Parameter, value: str | None) -> str | None:
    """As a command of ``ctl`` the socket that is given there, unless there is another one here."""
    given = context.obj[0] if isinstance(context.obj, tuple) else None
    return given or value


#: Where a server is asked, of commands and of those of ``ctl``.
control_option = click.option(
    "--control",
    metavar="PATH",
    envvar=ENV_PREFIX + "CONTROL",
    callback=_control,
    help="The server's control socket.",
)


def _several(names: tuple[str, ...], what: str, text: str) -> Callable[[Command], Command]:
    return click.option(*names, multiple=True, metavar=what, help=f"{text}; repeatable.")


_OPTIONS = (
    control_option,
    _several(("-m", "--method", "methods"), "PATTERN", "Calls of these methods: add, 'Calculator.*'"),
    _several(("--peer", "peers"), "PATTERN", "Calls of these peers: '10.0.0.7:*'"),
    _several(("--outcome", "outcomes"), "NAME", f"Calls that end so: {', '.join(OUTCOMES)}"),
    click.option("--slower", default="0", metavar="DURATION", help="Calls that take at least so long."),
    click.option(
        "--sample", default="100%", show_default=True, metavar="SHARE", help="A part of all calls, at random."
    ),
    click.option("--headers", is_flag=True, help="With what comes beside calls: headers, which may hold passwords."),
    click.option("-n", "--number", default="0", metavar="N", help="End after so many calls; 0: never."),
    click.option("-z", "--duration", "period", default="0", metavar="DURATION", help="End after so long; 0: never."),
)


def listening_options(command: Command) -> Command:
    """Decorate a command with all of them; ``Listening.of`` takes the values, by these names."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


class Listening(NamedTuple):
    """Calls of the server at a ``control`` socket: ``number`` of them, ``period`` seconds long; 0 for no end."""

    control: str | None
    wanted: Wanted
    number: int
    period: float

    @classmethod
    def of(
        cls,
        control: str | None,
        slower: str,
        sample: str,
        number: str,
        period: str,
        secrets: bool = False,
        **others: Any,
    ) -> Listening:
        """What the options say. Raises ConfigError."""
        data = others | {
            "slower": int(parsed("--slower", duration, slower) * 1e9),
            "share": parsed("--sample", share, sample),
            "secrets": secrets,
        }
        try:
            wanted = Wanted.parse(data)
        except ValueError as error:
            raise ConfigError(str(error)) from None
        return cls(control, wanted, parsed("-n", count, number), parsed("-z", duration, period))

    def records(self) -> Iterator[Record | None]:
        """All that comes until the period is over, from whichever master serves; None while nothing comes.

        Raises NoServer, also when the server ends before.
        """
        return map(self._told, self._records())

    def _told(self, record: Record | None) -> Record | None:
        if isinstance(record, Began):
            note(f"listening to worker {record.worker}")
        return record

    def _records(self) -> Iterator[Record | None]:
        until = time.monotonic() + self.period if self.period else None
        begin = partial(_begin, self.control, msgspec.to_builtins(self.wanted))
        yield from listen(begin, until)
        while until is None or time.monotonic() < until:
            time.sleep(0.1)
            yield from listen(partial(_patiently, begin), until)


def note(text: str) -> None:
    """Something beside what was asked for."""
    click.echo(f"* {text}", err=True)


def _begin(control: str | None, wanted: Any, descriptor: int) -> None:
    ask(control, [descriptor], command="tap", wanted=wanted)


def _patiently(begin: Any, descriptor: int) -> None:
    """Of two masters, of which one follows the other, the control socket is nobody's for a moment."""
    until = time.monotonic() + SUCCESSOR
    while True:
        try:
            begin(descriptor)
            return
        except NoServer:
            if time.monotonic() > until:
                raise NoServer("the server has ended") from None
            time.sleep(0.1)
