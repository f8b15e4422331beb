"""``thriftserver tap``: calls of a running server as they happen. It only parses and prints."""

from __future__ import annotations

import json
import sys
import time
from contextlib import suppress
from typing import Any

import click

from thriftserver.capture.records import Heard, Lost, Schema
from thriftserver.capture.schemas import Schemas
from thriftserver.capture.showing import plain
from thriftserver.cli.listening import Listening, listening_options, note
from thriftserver.cli.paint import colored, echo, harmless
from thriftserver.rpc.observe import FINE

#: Characters of a line for people; ``--json`` has all.
WIDTH = 400


@click.command()
@listening_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a call, with all that is known of it.")
def tap(as_json: bool, **options: Any) -> None:
    """Show the calls of a running server as they happen, with arguments and results, until interrupted.

    The server is the one whose control socket is given (`run --control PATH`). What its IDL says must not be shown
    (thriftserver.redact) never leaves it. Calls that this terminal does not keep up with are counted, and left out.

    \b
    thriftserver tap --control /run/calc.sock -m 'Calculator.div*' --slower 10ms
    thriftserver tap --control /run/calc.sock --sample 1% --outcome undeclared --json

    Exit codes: 0 done, 1 refused, 2 wrong usage, 3 no server there, or it has ended.
    """
    listening = Listening.of(**options)
    schemas, shown = Schemas(), 0
    with suppress(KeyboardInterrupt, BrokenPipeError):  # nobody looks any more
        for record in listening.records():
            match record:
                case Schema():
                    schemas.learn(record)
                case Lost():
                    note(f"{record.count} calls of worker {record.worker} came too fast to be shown")
                case Heard():
                    _show(plain(record, schemas), as_json)
                    shown += 1
            if listening.number and shown >= listening.number:
                return


def _show(call: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(call, ensure_ascii=False).encode("utf-8", "backslashreplace").decode(), flush=True)
        return
    color = colored(sys.stdout)
    at = f"{time.strftime('%H:%M:%S', time.localtime(call['at']))}.{int(call['at'] * 1000) % 1000:03d}"
    who, outcome, peer = map(harmless, (f"{call['service']}.{call['method']}", call["outcome"], call["peer"]))
    if color:
        outcome = click.style(outcome, fg="green" if outcome in FINE else "red")
    echo(f"{at} {who} {outcome} {call['duration_ms']:.3f} ms {peer} {said(call)}", sys.stdout, color)


def said(call: dict[str, Any]) -> str:
    """Arguments and what came of them, cut to what a line holds."""
    text = _json(call.get("arguments", {}))
    if "result" in call:
        text += f" -> {_json(call['result'])}"
    elif "exception" in call:
        text += f" -> {call['exception']} {_json(call['value'])}"
    for key in ("error", "unreadable"):
        if key in call:
            text += f" -> {key}: {call[key]}"
    text = harmless(text)
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}..."


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
