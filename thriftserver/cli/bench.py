"""``thriftserver bench``: a load test from the command line. It only parses and prints."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import IO, Any

import click

from thriftserver import quantities
from thriftserver.cli.connecting import Target, connecting_options, idl_options, parsed
from thriftserver.cli.connecting import header as read_header
from thriftserver.cli.options import offer
from thriftserver.cli.paint import colored, echo, harmless
from thriftserver.client.methods import require_sense
from thriftserver.discovery.resolvers import resolver_of
from thriftserver.errors import ConfigError, TransportError
from thriftserver.loadtest.asking import require_sendable, workload
from thriftserver.loadtest.comparison import Change, changes, unlike
from thriftserver.loadtest.conditions import FAILED, conditions, time_text
from thriftserver.loadtest.connection import Server
from thriftserver.loadtest.crew import Terms, run
from thriftserver.loadtest.gathering import Gathered
from thriftserver.loadtest.pacing import Pace, rate
from thriftserver.loadtest.page import page
from thriftserver.loadtest.result import Result, read
from thriftserver.loadtest.shown import change_text, summary
from thriftserver.loadtest.tally import UNANSWERED
from thriftserver.loadtest.workload import Workload
from thriftserver.quantities import count, duration, positive

_COLOURS = {"better": "green", "worse": "red"}
#: What shells say of a program that somebody has stopped.
_STOPPED = 130


@click.command()
@click.argument("address")
@click.argument("methods", nargs=-1, required=True, metavar="METHOD[=WEIGHT]...", shell_complete=offer("methods"))
@idl_options
@click.option("-c", "--connections", default="10", show_default=True, metavar="N", help="Each has one call at a time.")
@click.option("-n", "--calls", metavar="N", help="Make so many calls.")
@click.option("-z", "--duration", metavar="DURATION", help="Make calls for so long.  [default: 10s, without -n]")
@click.option("--rate", metavar="N|N..M", help="Calls that are due per second, however slow the server is.")
@click.option("--ramp", metavar="DURATION", help="Reach the rate within this time, from N of N..M, or from 0.")
@click.option("--warmup", default="0", metavar="DURATION", help="Make calls that do not count for so long before.")
@click.option(
    "-d", "--data", multiple=True, metavar="[METHOD=]JSON|@FILE", help="Arguments; each document of a file is one call."
)
@click.option("--seed", default="0", show_default=True, metavar="N", help="Decides about what is left to chance.")
@click.option("-H", "--header", multiple=True, metavar="NAME:VALUE", help="Send this beside the calls; repeatable.")
@click.option("--processes", default="1", show_default=True, metavar="N", help="Share the connections among so many.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option(
    "--html", metavar="FILE", shell_complete=offer("files"), help="Write a page with plots, that needs nothing else."
)
@click.option(
    "--compare",
    metavar="FILE",
    shell_complete=offer("files"),
    help="Compare with what --json has printed at an earlier time.",
)
@click.option("--fail-if", multiple=True, metavar="CONDITIONS", help="p99>5ms,errors>0.1%,rate<1000,p50>+10%")
@connecting_options
def bench(
    address: str,
    methods: tuple[str, ...],
    idl: str | None,
    include: tuple[str, ...],
    data: tuple[str, ...],
    seed: str,
    header: tuple[str, ...],
    as_json: bool,
    html: str | None,
    compare: str | None,
    fail_if: tuple[str, ...],
    **options: Any,
) -> None:
    """Load the server at ADDRESS (HOST:PORT, unix:/path, or a name for several: etcd://HOST/PREFIX) with calls of one
    METHOD or of several, mixed by weight.

    \b
    thriftserver bench 127.0.0.1:9090 Calculator.add -d '{"a": 1, "b": 2}' -c 50 -z 10s
    thriftserver bench 127.0.0.1:9090 get=9 put=1 -d put=@users.jsonl --rate 2000 --html report.html

    Without --rate, each connection makes a call when it has the reply to the last one (a closed loop). With it, calls
    are due at a rate that no slow server changes (an open loop), and what one takes is counted from when it was due.

    Without -d, arguments are made up, as the IDL has them. Without --idl the server is asked for its IDL, which a
    thriftserver tells (see --reflection there).

    Conditions of --fail-if are about min, mean, p50, p99.9 (any), max; rate; calls, errors, exceptions, refused,
    unanswered, as a number or a share of calls. +10% is how much more it is than what is compared with. Errors are
    calls that were refused or not answered; an exception that the IDL declares is none.

    Exits with 0, 2 if the test makes no sense, 7 if no call was answered, 8 if a condition of --fail-if is met, 130 if
    it was stopped.
    """
    shape = {
        name: options.pop(name) for name in ("connections", "calls", "duration", "rate", "ramp", "warmup", "processes")
    }
    terms = _terms(**shape)
    wanted = conditions(fail_if)
    before = read(compare) if compare else None
    if before is None and any(each.relative == "was" for each in wanted):
        raise ConfigError("--fail-if: a change is one from something: give --compare FILE")
    beside = dict(map(read_header, header))
    target = Target.of(address, **options)
    work = workload(target.known(idl, include), methods, data, parsed("--seed", count, seed))
    server = _server(target, work, beside)
    if html:
        _write(html, "", "a")  # what cannot be written is said before the test
    begun = datetime.now(UTC).isoformat(timespec="seconds")
    progress = _Progress(sys.stderr, address, terms)
    try:
        gathered = run(server, work, terms, progress.say)
    finally:
        progress.end()
    result = Result.of(gathered, _about(target, work, terms, begun))
    compared = changes(before, result) if before else []
    failed = [told for each in wanted if (told := each.met(result, before))]
    if html:
        _write(html, page(result, before))
    if as_json:
        more = {"compared": [each.plain() for each in compared]} if before else {}
        click.echo(json.dumps(result.plain() | more | {"failed": failed}, indent=2, ensure_ascii=False))
    else:
        _print(result, before, compared, failed)
    sys.exit(_code(result, failed))


def _terms(
    connections: str,
    calls: str | None,
    duration: str | None,
    rate: str | None,
    ramp: str | None,
    warmup: str,
    processes: str,
) -> Terms:
    """What the options say. Raises ConfigError."""
    number = None if calls is None else parsed("--calls", positive, calls)
    seconds = _seconds("--duration", duration)
    if duration is not None and seconds is None:
        raise ConfigError("--duration: a test cannot take no time")
    if number is None and seconds is None:
        seconds = 10.0
    together = parsed("--connections", positive, connections)
    if number is not None:
        together = min(together, number)
    parts = parsed("--processes", quantities.processes, processes)
    return Terms(
        together, min(parts, together), number, seconds, _pace(rate, ramp, seconds), _seconds("--warmup", warmup) or 0.0
    )


def _seconds(flag: str, text: str | None) -> float | None:
    return None if text is None else parsed(flag, duration, text) or None


def _pace(text: str | None, ramp: str | None, seconds: float | None) -> Pace | None:
    if text is None:
        if ramp is not None:
            raise ConfigError("--ramp: there is no rate to be reached; give --rate")
        return None
    first, last = parsed("--rate", rate, text)
    rising = _seconds("--ramp", ramp)
    if rising is None:
        if first != last and seconds is None:
            raise ConfigError("--rate: say within what time it changes: --ramp, or --duration")
        return Pace(first, last, (seconds or 0.0) if first != last else 0.0)
    return Pace(first if first != last else 0.0, last, rising)


def _server(target: Target, work: Workload, beside: dict[str, str]) -> Server:
    """Who is called, after a look whether all can be sent. Raises ConfigError."""
    try:
        require_sense(target.timeout, target.max_frame, None)
        server = Server(
            resolver_of(target.host, target.port),
            target.dialect,
            target.path,
            target.max_frame,
            target.timeout,
            target.tls,
            work.names(),
            beside,
        )
        require_sendable(server, work, beside)
    except ValueError as error:
        raise ConfigError(str(error)) from None
    return server


def _about(target: Target, work: Workload, terms: Terms, begun: str) -> dict[str, Any]:
    """What was done, for who reads the result."""
    load = {
        "methods": {load.meant.called: load.weight for load in work.loads},
        "connections": terms.connections,
        "processes": terms.processes,
        "calls": terms.calls,
        "duration": terms.seconds,
        "rate": None if terms.pace is None else str(terms.pace),
        "warmup": terms.warmup,
        "tls": target.tls is not None,
        "seed": work.seed,
    }
    return {"address": target.text, "dialect": target.dialect, "begun": begun, "load": load}


def _code(result: Result, failed: list[str]) -> int:
    total = result.total
    if failed:
        return FAILED
    if total.calls == total.kinds[UNANSWERED]:
        return TransportError.exit_code
    return _STOPPED if result.generator["stopped"] else 0


def _write(path: str, text: str, mode: str = "w") -> None:
    try:
        with open(path, mode, encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}") from None


def _print(result: Result, before: Result | None, compared: list[Change], failed: list[str]) -> None:
    color = colored(sys.stdout)
    for line in summary(result):
        echo(harmless(line), sys.stdout, color)
    if before is not None:
        echo(f"\nCompared with {harmless(str(before.about['begun']))}", sys.stdout, color)
        for change in compared:
            text = f"{change_text(change)}  {change.verdict}".rstrip()
            fg = _COLOURS.get(change.verdict) if color else None
            echo(click.style(text, fg=fg) if fg else text, sys.stdout, color)
        for each in unlike(before, result):
            echo(harmless(f"  differs: {each}"), sys.stdout, color)
    for note in result.notes():
        echo(f"\nNote: {note}.", sys.stdout, color)
    for each in failed:
        echo(_failed(harmless(each)), sys.stderr, colored(sys.stderr))


def _failed(text: str) -> str:
    lead = click.style("Failed", fg="red", bold=True) if colored(sys.stderr) else "Failed"
    return f"{lead}: {text}"


class _Progress:
    """The last second in one line of a terminal; nothing where there is none."""

    def __init__(self, stream: IO[str], address: str, terms: Terms) -> None:
        self._stream = stream
        self._shown = stream.isatty()
        self._whole = f" of {terms.seconds:.6g} s" if terms.seconds else ""
        self._calls = f" of {terms.calls:,}" if terms.calls else ""
        self._put(f"loading {address}" + (", warming up" if terms.warmup else ""))

    def say(self, gathered: Gathered) -> None:
        last = gathered.seconds[-1]
        calls = sum(each.calls for each in gathered.seconds)
        errors = sum(each.errors for each in gathered.seconds)
        self._put(
            f"{last.number + 1} s{self._whole}  {calls:,} calls{self._calls}  {last.calls:,}/s  "
            f"p50 {time_text(last.p50 / 1e9)}  p99 {time_text(last.p99 / 1e9)}  {errors:,} errors"
        )

    def end(self) -> None:
        self._put("")

    def _put(self, text: str) -> None:
        if self._shown:
            self._stream.write(f"\r\x1b[K{harmless(text)}")
            self._stream.flush()
