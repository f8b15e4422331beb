"""``thriftserver doctor``: what speaks at an address, and what is wrong with it. It only parses and prints."""

from __future__ import annotations

import json
import sys
import time
from typing import IO

import click

from thriftserver.cli.connecting import parsed, place
from thriftserver.cli.paint import colored, echo, harmless
from thriftserver.cli.tls import tls_options
from thriftserver.client.tls import Tls
from thriftserver.discovery.addresses import Address
from thriftserver.doctor.examination import examine
from thriftserver.doctor.findings import Finding, exit_code, findings
from thriftserver.errors import ConfigError
from thriftserver.quantities import duration

_COLOURS = {"ok": "green", "note": "yellow", "bad": "red"}


@click.command()
@click.argument("address")
@click.option("--timeout", default="2s", show_default=True, metavar="DURATION", help="How long each step may take.")
@click.option("--idle", default="2s", show_default=True, metavar="DURATION", help="How long one is left idle; 0: none.")
@click.option("--path", default="/", show_default=True, help="What HTTP asks the server for.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@tls_options
def doctor(address: str, timeout: str, idle: str, path: str, as_json: bool, tls: Tls | None) -> None:
    """Examine whatever listens at ADDRESS (HOST:PORT or unix:/path): each dialect and TLS are tried, how long a call
    takes, how large a message may be, whether idle connections last; with advice.

    It calls a method that nobody has, so nothing is executed; the server may log some refused connections.

    Exits with 0 if all is well, 1 if something is wrong, 7 if nobody can be reached.
    """
    where = Address(*place(address))
    patience, rest = parsed("--timeout", duration, timeout), parsed("--idle", duration, idle)
    if not patience:
        raise ConfigError("--timeout: a step cannot take for ever")
    if not path.startswith("/"):
        raise ConfigError(f"--path must begin with /; got {path!r}")
    progress = _Progress(sys.stderr)
    facts = examine(where, path, patience, rest, tls, progress.say)
    progress.end()
    found = findings(facts, time.time())
    code = exit_code(facts, found)
    if as_json:
        answers = [each.plain() for each in (*facts.plain, *facts.secure)]
        told = {"address": facts.address, "findings": [each.plain() for each in found], "answers": answers}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        color = colored(sys.stdout)
        for each in found:
            echo(_line(each, color), sys.stdout, color)
    sys.exit(code)


def _line(each: Finding, color: bool) -> str:
    level = f"{each.level:<4}"
    lead = click.style(level, fg=_COLOURS[each.level], bold=True) if color else level
    advice = f"\n      {harmless(each.advice)}" if each.advice else ""
    return f"{lead}  {harmless(each.text)}{advice}"


class _Progress:
    """What is being tried, in one line of a terminal; nothing where there is none."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._shown = stream.isatty()

    def say(self, step: str) -> None:
        if self._shown:
            self._stream.write(f"\r\x1b[Ktrying {step}")
            self._stream.flush()

    def end(self) -> None:
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
