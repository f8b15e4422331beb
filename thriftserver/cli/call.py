"""``thriftserver call``: calls from the command line, arguments and results as JSON. It only parses and prints."""

from __future__ import annotations

import itertools
import json
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

import click

from thriftserver.calling.arguments import documents, is_pair, read_pairs
from thriftserver.calling.attempt import Listener, Outcome, attempt, listener_class, nobody
from thriftserver.calling.methods import Meant, find
from thriftserver.calling.shown import hexdump
from thriftserver.cli.connecting import Target, connecting_options, idl_options, parsed
from thriftserver.cli.connecting import header as read_header
from thriftserver.cli.options import offer
from thriftserver.cli.paint import colored, echo, harmless
from thriftserver.client.example import example_arguments
from thriftserver.client.headers import headers
from thriftserver.client.plain import read_arguments
from thriftserver.errors import ConfigError, TransportError
from thriftserver.quantities import count, duration
from thriftserver.schema.model import Function


@click.command()
@click.argument("address")
@click.argument("method", shell_complete=offer("methods"))
@click.argument("arguments", nargs=-1, shell_complete=offer("arguments"))
@idl_options
@click.option("-d", "--data", metavar="JSON|@FILE|-", help="Arguments as JSON; each document of a file is one call.")
@click.option("--template", is_flag=True, help="Call nothing; print arguments to fill in.")
@click.option("--repeat", default="1", metavar="N", help="Make each call N times; 0: until interrupted.")
@click.option("--interval", default="0", metavar="DURATION", help="Time between two calls.")
@click.option("-H", "--header", multiple=True, metavar="NAME:VALUE", help="Send this beside the calls; repeatable.")
@click.option("-v", "--verbose", is_flag=True, help="Tell times, bytes and headers, on stderr.")
@click.option("--hex", "as_hex", is_flag=True, help="Show the bytes of messages, on stderr.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a call, whatever comes of it.")
@click.option("--bare", is_flag=True, help="Call the method without its service's name in any case.")
@connecting_options
def call(
    address: str,
    method: str,
    arguments: tuple[str, ...],
    idl: str | None,
    include: tuple[str, ...],
    data: str | None,
    template: bool,
    repeat: str,
    interval: str,
    header: tuple[str, ...],
    verbose: bool,
    as_hex: bool,
    as_json: bool,
    bare: bool,
    **connecting: Any,
) -> None:
    """Call METHOD (method, Service.method or Service:method) at ADDRESS and print the result.

    ADDRESS is HOST:PORT or unix:/path, or a name that servers are found by, as clients take it: dns://HOST:PORT,
    dns+srv://NAME, zk://HOST/PATH, etcd://HOST/PREFIX, consul://HOST/SERVICE.

    ARGUMENTS are name=value pairs (user.name=value goes into a struct), or one JSON object by argument name, or an
    array in the order of the IDL; - reads it from standard input. With -d - each line of standard input is a call.

    \b
    thriftserver call 127.0.0.1:9090 Calculator.add a=1 b=2
    thriftserver call 127.0.0.1:9090 Calculator.add '{"a": 1, "b": 2}' --idl idl/calculator.thrift

    Without --idl the server is asked for its IDL, which a thriftserver tells (see --reflection there).

    Service:method is what a server of several services is called with (multiplexed). Service.method becomes that where
    it has to be, unless --bare is given; else the bare name is called.

    Exits with 0 after a result, 1 after an exception that the IDL declares, 2 if the call makes no sense, 6 if the
    server has answered with an error, 7 if it has not answered; of several calls the greatest of these.
    """
    target = Target.of(address, **connecting)
    times = parsed("--repeat", count, repeat)
    pause = parsed("--interval", duration, interval)
    if arguments and data is not None:
        raise ConfigError("give arguments, or -d, and not both")
    beside = dict(map(read_header, header))
    meant = find(method, target.known(idl, include))
    if bare:
        meant = meant._replace(known_by="")
    if template:
        click.echo(_template(meant.function))
        return
    requests: Iterable[list[Any]] = _requests(meant.function, arguments, data)
    several = times != 1 or data == "-"
    if data != "-":
        requests = [*requests]  # what makes no sense is said before anybody is called
        several = several or len(requests) != 1
    teller = _Teller(meant, verbose, as_hex, as_json, several)
    _make(target, meant, beside, _paced(requests, times, pause), teller)
    sys.exit(teller.code)


def _make(target: Target, meant: Meant, beside: dict[str, str], calls: Iterable[list[Any]], teller: _Teller) -> None:
    """Make the calls on one connection, each with these headers."""
    began = time.monotonic()
    try:
        client = target.client(listener_class(meant.service), meant.known_by)
    except TransportError as error:
        teller.over(nobody(error, time.monotonic() - began))
        return
    with client, headers(beside):
        teller.connected(client, time.monotonic() - began, target.dialect)
        if beside and not client.__conversation__.takes_infos:
            advice = "use --dialect header-binary, or http-binary"
            raise ConfigError(f"-H: {target.dialect} has no place for headers; {advice}")
        for values in calls:
            teller.over(attempt(client, meant.function, values))


def _template(function: Function) -> str:
    example = example_arguments(function)
    if example is None:
        raise ConfigError(f"{function.name} has no example of a reasonable size: a type in it requires itself")
    return json.dumps(example, indent=2, ensure_ascii=False)


def _requests(function: Function, arguments: tuple[str, ...], data: str | None) -> Iterator[list[Any]]:
    """The arguments of each call. Raises ConfigError when it comes to some that do not fit."""
    if data == "-":
        for number, line in enumerate(sys.stdin.buffer, 1):
            if line.strip():
                yield _read(function, _decoded(line, f"line {number} of standard input"), f"line {number}: ")
    elif data is not None and data.startswith("@"):
        for number, document in enumerate(documents(_file(data[1:])), 1):
            yield _read(function, document, f"{data[1:]}, call {number}: ")
    elif data is not None:
        yield _read(function, data, "-d: ")
    elif arguments == ("-",):
        yield read_arguments(function, _decoded(sys.stdin.buffer.read(), "standard input"))
    elif len(arguments) > 1 or (arguments and is_pair(arguments[0])):
        yield read_pairs(function, arguments)
    else:
        yield read_arguments(function, arguments[0] if arguments else "{}")


def _read(function: Function, text: str, place: str) -> list[Any]:
    try:
        return read_arguments(function, text)
    except ConfigError as error:
        raise ConfigError(f"{place}{error}") from None


def _file(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return _decoded(file.read(), path)
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from None


def _decoded(data: bytes, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"{what} is not UTF-8: {error.reason} at byte {error.start}") from None


def _paced(requests: Iterable[list[Any]], times: int, pause: float) -> Iterator[list[Any]]:
    """Each of the requests so many times (0: for ever), with pauses between them."""
    begun = False
    for values in requests:
        for _ in range(times) if times else itertools.count():
            if begun and pause:
                time.sleep(pause)
            begun = True
            yield values


class _Teller:
    """Prints what comes of calls. ``code`` is what the command ends with: the greatest of theirs."""

    def __init__(self, meant: Meant, verbose: bool, as_hex: bool, as_json: bool, several: bool) -> None:
        self._meant = meant
        self._verbose, self._as_hex, self._as_json = verbose, as_hex, as_json
        self._indent = None if several else 2
        self._dialect = ""
        self.code = 0

    def connected(self, client: Listener, seconds: float, dialect: str) -> None:
        self._dialect = dialect
        self._note(f"* connected to {client.__channel__.peer} in {_time(seconds)}")

    def over(self, outcome: Outcome) -> None:
        self.code = max(self.code, outcome.code)
        self._details(outcome)
        if self._as_json:
            click.echo(json.dumps({"method": self._meant.called} | outcome.plain(), ensure_ascii=False))
        elif outcome.kind == "exception":
            self._complain(outcome.name, json.dumps(outcome.value, ensure_ascii=False))
        elif outcome.kind != "result":
            self._complain("Error", outcome.text + self._hint(outcome))
        elif self._meant.function.returns is not None:
            click.echo(json.dumps(outcome.value, ensure_ascii=False, indent=self._indent))

    def _hint(self, outcome: Outcome) -> str:
        meant = self._meant
        if not outcome.unknown or not meant.known_by:
            return ""
        return f" (called as {meant.called}; --bare calls {meant.function.name})"

    def _complain(self, name: str, text: str) -> None:
        color = colored(sys.stderr)
        echo(f"{click.style(name, fg='red', bold=True) if color else name}: {harmless(text)}", sys.stderr, color)

    def _details(self, outcome: Outcome) -> None:
        self._note(f"> {self._meant.called} in {self._dialect}, {len(outcome.sent):,} bytes")
        self._bytes(">", outcome.sent)
        what = outcome.kind if outcome.received else "no answer"
        self._note(f"< {what}, {len(outcome.received):,} bytes, after {_time(outcome.seconds)}")
        for name, value in outcome.headers.items():
            self._note(f"< {name}: {value}")
        self._bytes("<", outcome.received)

    def _bytes(self, mark: str, data: bytes) -> None:
        if self._as_hex:
            for line in hexdump(data):
                click.echo(f"{mark} {line}", err=True)

    def _note(self, text: str) -> None:
        if self._verbose:
            echo(harmless(text), sys.stderr, False)


def _time(seconds: float) -> str:
    return f"{seconds:.3f} s" if seconds >= 1 else f"{seconds * 1000:.3f} ms"
