"""``thriftserver ctl``: ask a running master, or tell it something, over its control socket.

Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 no server there.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import click

from thriftserver.cli.dialects import in_use
from thriftserver.config import ENV_PREFIX, flag
from thriftserver.errors import ConfigError, ThriftServerError
from thriftserver.passing import send

#: Commands by name; each is a function of that name in the file of that name.
TOOLS = ("profile", "tap")
#: Seconds between the two readings that calls per second are made of.
INTERVAL = 0.5


class CommandRefused(ThriftServerError):
    """The server answered no, or the command failed."""


class NoServer(ThriftServerError):
    """Nobody answers at the control socket."""

    exit_code = 3


class Tools(click.Group):
    """The group with commands that have a file of their own, and are imported when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *TOOLS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in TOOLS:
            return super().get_command(ctx, cmd_name)
        found: click.Command = getattr(import_module(f"thriftserver.cli.{cmd_name}"), cmd_name)
        return found


@click.group(cls=Tools)
@click.option("--control", metavar="PATH", envvar=ENV_PREFIX + "CONTROL", help="The server's control socket.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as one line of JSON.")
@click.pass_context
def ctl(context: click.Context, control: str | None, as_json: bool) -> None:
    """Look into a running server, or steer it, over its control socket (`run --control PATH`).

    Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 no server there.
    """
    context.obj = (control, as_json)


def ask(path: str | None, passed: Sequence[int] = (), **request: Any) -> dict[str, Any]:
    """Send a request, with descriptors passed along; wait for its answer. Raises NoServer or CommandRefused."""
    if not path:
        raise ConfigError("no control socket: give --control PATH, the one that `thriftserver run` was given")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        try:
            sock.connect(path)
            send(sock, json.dumps(request).encode() + b"\n", passed)  # a few bytes, which a new connection takes whole
            with sock.makefile("rb") as stream:
                line = stream.readline()
        except OSError as error:
            raise NoServer(f"no server answers at {path}: {error.strerror or error}") from None
    if not line.endswith(b"\n"):
        raise NoServer(f"the server at {path} left without an answer")
    answer: dict[str, Any] = json.loads(line)
    if not answer.pop("ok"):
        raise CommandRefused(answer["error"])
    return answer


def _show(as_json: bool, answer: dict[str, Any], text: str) -> None:
    click.echo(json.dumps(answer) if as_json else text)


_UNITS = ("KiB", "MiB", "GiB", "TiB")


class Amount(str):
    """Text that stands to the right, as the number that it is."""


def size(count: int) -> str:
    """Bytes as people say them: 12.3 MiB."""
    if count < 1024:
        return f"{count} B"
    power = min((count.bit_length() - 1) // 10, len(_UNITS))
    return f"{count / (1 << 10 * power):.1f} {_UNITS[power - 1]}"


def table(rows: Sequence[dict[str, Any]], nothing: str) -> str:
    """Columns as wide as they must be; numbers to the right."""
    if not rows:
        return nothing
    lines = [list(rows[0])] + [["-" if value is None else str(value) for value in row.values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    right = [not isinstance(value, str) or isinstance(value, Amount) for value in rows[0].values()]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if flush else cell.ljust(width)
            for cell, width, flush in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )


@ctl.command()
@click.pass_obj
def status(obj: tuple[str | None, bool]) -> None:
    """The service in a few numbers."""
    first = ask(obj[0], command="status")
    time.sleep(INTERVAL)
    answer = ask(obj[0], command="status")
    seconds = answer.pop("clock") - first["clock"]
    answer["calls_per_s"] = round((answer["calls"] - first["calls"]) / seconds, 1)
    # A master of an earlier release, before an upgrade, does not tell its dialects.
    lines = answer | {"dialects": in_use(answer.get("dialects", {})) or "none yet"}
    if tls := answer.get("tls"):
        expiry = f"the first certificate expires in {tls['expires_in_days']} days"
        lines["tls"] = f"{tls['connections']} connections, {tls['refused']} refused; {expiry}"
    lines["canary"] = _of_trial(answer.get("canary"))
    if registries := answer.get("registries"):
        lines["registries"] = "; ".join(map(_registry, registries))
    width = max(map(len, lines))
    _show(obj[1], answer, "\n".join(f"{name.ljust(width)}  {value}" for name, value in lines.items()))


def _of_trial(trial: dict[str, Any] | None) -> str:
    if not trial:
        return "none"
    who = f"generation {trial['generation']}" if "generation" in trial else f"the new master {trial['successor']}"
    left = trial["seconds_left"]
    return f"{who}, {f'{left:.0f} s left' if left else 'waits for more calls'}"


def _registry(known: dict[str, Any]) -> str:
    state = "registered" if known["registered"] else "not registered"
    return f"{known['registry']} {state}" + (f" ({known['problem']})" if known["problem"] else "")


@ctl.command()
@click.pass_obj
def workers(obj: tuple[str | None, bool]) -> None:
    """Every worker: its state, load and memory."""
    answer = ask(obj[0], command="workers")
    rows = [row | {"rss": Amount(size(row["rss"]))} for row in answer["workers"]]
    _show(obj[1], answer, table(rows, "no workers"))


@ctl.command()
@click.pass_obj
def calls(obj: tuple[str | None, bool]) -> None:
    """Every call in flight, the oldest first."""
    answer = ask(obj[0], command="calls")
    _show(obj[1], answer, table(answer["calls"], "no calls in flight"))


@ctl.command()
@click.pass_obj
def reload(obj: tuple[str | None, bool]) -> None:
    """Reload configuration, IDL and handler; wait for the outcome."""
    answer = ask(obj[0], command="reload")
    lines = [f"reloaded: {answer['result']}"]
    if ignored := answer.get("ignored"):
        lines.append(f"ignored until a restart or an upgrade: {', '.join(map(flag, ignored))}")
    _show(obj[1], answer, "\n".join(lines))


@ctl.command()
@click.pass_obj
def upgrade(obj: tuple[str | None, bool]) -> None:
    """Start a new master from disk, as USR2 does; wait until it has taken over, or has failed."""
    answer = ask(obj[0], command="upgrade")
    _show(obj[1], answer, f"upgraded: the new master has pid {answer['pid']}")


@ctl.command()
@click.argument("number", type=click.IntRange(min=1))
@click.pass_obj
def scale(obj: tuple[str | None, bool], number: int) -> None:
    """Have NUMBER workers, until the configured number changes."""
    answer = ask(obj[0], command="scale", workers=number)
    _show(obj[1], answer, f"{answer['workers']} workers")


@ctl.command()
@click.pass_obj
def rest(obj: tuple[str | None, bool]) -> None:
    """Retire all workers and keep the sockets, as WINCH does, until a reload or a scaling."""
    _show(obj[1], ask(obj[0], command="rest"), "resting: reload or scale starts workers again")


@ctl.command()
@click.argument("pid", type=click.IntRange(min=1))
@click.pass_obj
def drain(obj: tuple[str | None, bool], pid: int) -> None:
    """Replace the worker PID: its successor starts first, then takes its connections."""
    _show(obj[1], ask(obj[0], command="drain", pid=pid), f"worker {pid} is being replaced")


@ctl.command()
@click.argument("pid", type=click.IntRange(min=1))
@click.pass_obj
def stacks(obj: tuple[str | None, bool], pid: int) -> None:
    """Have the worker PID log what each call is doing.

    A worker whose loop is blocked does this only once it goes round again; its own log line `loop_blocked` has the
    stack by then, and after `--timeout` so has `worker_hung`.
    """
    answer = ask(obj[0], command="stacks", pid=pid)
    _show(obj[1], answer, f"look into {answer['where']}")


@ctl.command()
@click.pass_obj
def stop(obj: tuple[str | None, bool]) -> None:
    """Finish what runs and stop, as TERM does."""
    _show(obj[1], ask(obj[0], command="stop"), "stopping")
