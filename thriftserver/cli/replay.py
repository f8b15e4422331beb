"""``thriftserver replay``: captured calls made again, and where the replies differ. It only parses and prints."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from typing import Any

import click

from thriftserver.capture.differences import Ignored
from thriftserver.capture.file import ordered
from thriftserver.capture.replay import DIFFERENT, KINDS, SAME, UNANSWERED, UNCOMPARED, UNSENT, Outcome, Replay
from thriftserver.capture.schemas import Schemas
from thriftserver.capture.showing import plain
from thriftserver.capture.speaking import Place
from thriftserver.cli.connecting import parsed, place, replaying_options
from thriftserver.cli.listening import note
from thriftserver.cli.paint import echo, harmless
from thriftserver.cli.tap import said
from thriftserver.discovery.resolvers import resolver_of
from thriftserver.errors import TransportError
from thriftserver.quantities import count, duration, positive, size

#: Seconds by which calls may be late without its being told.
LATE = 0.1


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.argument("address")
@click.option(
    "--speed", default="1", show_default=True, metavar="X", help="How much faster than they were made; or max."
)
@click.option("-c", "--connections", default="16", show_default=True, metavar="N", help="Connections at once, at most.")
@click.option("--ignore", multiple=True, metavar="PATH", help="What may differ: result.items[*].at; repeatable.")
@click.option("--show", default="20", show_default=True, metavar="N", help="Calls that are shown; all are counted.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a call that differs, and a summary.")
@replaying_options
def replay(
    files: tuple[str, ...],
    address: str,
    speed: str,
    connections: str,
    ignore: tuple[str, ...],
    show: str,
    as_json: bool,
    timeout: str,
    max_frame: str,
    path: str,
    tls: Any,
) -> None:
    """Make the calls of FILEs (`thriftserver capture`) again at ADDRESS, and show where the replies differ.

    Each message is sent as it was recorded, in its dialect. Calls of one client go out one after the other on one
    connection; with -c 1 all do, in the order of their arrival. A path is what a reply has: result.items[3].price,
    exception.why; --ignore 'add:result' is for one method, * any name, [*] any index.

    \b
    thriftserver replay calls.gz 127.0.0.1:9090 --speed max
    thriftserver replay calls.1.gz calls.gz staging:9090 --speed 2 --ignore 'result.updated'

    Exit codes: 0 no reply differs, 1 some do, 2 wrong usage, 7 some calls were not answered.
    """
    host, port = place(address)
    target = Place(
        resolver_of(host, port),
        parsed("--timeout", duration, timeout) or None,
        parsed("--max-frame", size, max_frame),
        path,
        tls,
    )
    schemas = Schemas()
    ignored = parsed("--ignore", Ignored, ignore)  # type: ignore[arg-type]  # a text each
    teller = _Teller(schemas, parsed("--show", count, show), as_json)
    made = Replay(
        target, parsed("-c", positive, connections), parsed("--speed", _speed, speed), ignored, schemas, teller.hear
    )
    made.run(ordered(files))
    teller.summary()
    sys.exit(teller.code)


def _speed(text: str) -> float:
    """0 for ``max``."""
    if text == "max":
        return 0.0
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed <= 1e6:
        raise ValueError(f"{text!r} is no speed; write 0.5, 2 or max")
    return speed


class _Teller:
    """Prints what comes of calls, the first ones in full."""

    def __init__(self, schemas: Schemas, most: int, as_json: bool) -> None:
        self._schemas, self._most, self._as_json = schemas, most, as_json
        self._counts: Counter[str] = Counter()
        self._paths: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()
        self._shown = 0
        self._late = 0.0
        self._begun = self._told = time.monotonic()

    @property
    def code(self) -> int:
        return TransportError.exit_code if self._counts[UNANSWERED] else 1 if self._counts[DIFFERENT] else 0

    def hear(self, outcome: Outcome) -> None:
        self._counts[outcome.kind] += 1
        self._late = max(self._late, outcome.late)
        name = f"{outcome.call.service}.{outcome.call.method}"
        for path in {each.path for each in outcome.differences}:
            self._paths[f"{name}: {path}"] += 1
        if outcome.kind in (UNSENT, UNCOMPARED):
            self._reasons[f"{outcome.kind}: {name}: {outcome.text}"] += 1
        if outcome.kind in (DIFFERENT, UNANSWERED) and self._shown < self._most:
            self._shown += 1
            self._show(name, outcome)
        if sys.stderr.isatty() and time.monotonic() - self._told > 1:
            self._told = time.monotonic()
            click.echo(
                f"\r\x1b[K{self._counts.total():,} calls, {self._counts[DIFFERENT]:,} differ", nl=False, err=True
            )

    def _show(self, name: str, outcome: Outcome) -> None:
        call = plain(outcome.call, self._schemas)
        if self._as_json:
            found = [each._asdict() for each in outcome.differences]
            _print(json.dumps({"kind": outcome.kind, "differences": found, "text": outcome.text, "call": call}))
            return
        arguments = said({"arguments": call.get("arguments", {})})
        _print(f"{name} {arguments}")
        if outcome.text:
            _print(f"  {outcome.text}")
        for each in outcome.differences:
            if each.old and each.new:
                _print(f"  {each.path}: {each.old} became {each.new}")
            else:
                _print(f"  {each.path}: {each.old} is gone" if each.old else f"  {each.path}: {each.new} is new")

    def summary(self) -> None:
        seconds = time.monotonic() - self._begun
        if sys.stderr.isatty():
            click.echo("\r\x1b[K", nl=False, err=True)
        if self._as_json:
            told = {kind: self._counts[kind] for kind in KINDS}
            told |= {"calls": self._counts.total(), "seconds": round(seconds, 3), "paths": dict(self._paths)}  # type: ignore[dict-item]
            _print(json.dumps({"summary": told}))
            return
        for path, number in self._paths.most_common():
            _print(f"{number:,} times {path}")
        for reason, number in self._reasons.most_common():
            note(f"{number:,} {reason}")
        if self._late > LATE:
            note(f"calls were up to {self._late:.1f} s late: the server, or -c, is too small for this pace")
        others = [f"{self._counts[kind]:,} {kind}" for kind in KINDS if kind != SAME and self._counts[kind]]
        _print(
            f"{self._counts.total():,} calls in {seconds:.1f} s: {self._counts[SAME]:,} the same"
            + "".join(f", {each}" for each in others)
        )


def _print(text: str) -> None:
    echo(harmless(text), sys.stdout, False)
