"""``thriftserver ctl profile``: where the CPU of a worker goes. It only parses and prints."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

import click

from thriftserver.cli.connecting import parsed
from thriftserver.cli.ctl import CommandRefused, NoServer, ask, table
from thriftserver.cli.listening import control_option
from thriftserver.cli.paint import harmless
from thriftserver.errors import ConfigError
from thriftserver.profiling.page import page
from thriftserver.profiling.profile import Profile
from thriftserver.profiling.speedscope import speedscope
from thriftserver.quantities import duration, positive

#: Lines and methods that are printed.
MOST = 10
#: Seconds that a worker may take longer than it was asked to, and bytes that a profile may have.
GRACE, LARGEST = 30.0, 256 << 20


@click.command()
@click.argument("worker")
@click.option("--seconds", default="10s", show_default=True, metavar="DURATION", help="How long to look.")
@click.option("--rate", default="100", show_default=True, metavar="HZ", help="How often a second, at most 1000.")
@click.option("-o", "--output", "outputs", multiple=True, metavar="FILE", help="FILE.html or FILE.json; repeatable.")
@control_option
@click.pass_context
def profile(
    context: click.Context, worker: str, seconds: str, rate: str, outputs: tuple[str, ...], control: str | None
) -> None:
    """Show where the CPU of WORKER (its pid or its number) goes, by method and line.

    The worker goes on serving, and samples itself. With -o FILE.html it is a flame graph on a page of its own, with
    -o FILE.json a profile for https://www.speedscope.app.

    \b
    thriftserver ctl --control /run/calc.sock profile 1 -o cpu.html -o cpu.json
    """
    as_json = isinstance(context.obj, tuple) and context.obj[1]
    for output in outputs:
        if not output.endswith((".html", ".json")):
            raise ConfigError(f"-o {output}: a file's name ends with .html, or with .json for speedscope")
    length, often = parsed("--seconds", duration, seconds), parsed("--rate", positive, rate)
    found = _profile(control, _pid(control, worker), length, often)
    for output in outputs:
        try:
            Path(output).write_text(page(found) if output.endswith(".html") else speedscope(found), encoding="utf-8")
        except OSError as error:
            raise ConfigError(f"cannot write {output}: {error.strerror}") from None
    click.echo(found.written() if as_json else _text(found))


def _pid(control: str | None, worker: str) -> int:
    number = parsed("WORKER", positive, worker)
    rows = ask(control, command="workers")["workers"]
    for key in ("pid", "worker"):
        for row in rows:
            if row[key] == number:
                return int(row["pid"])
    raise CommandRefused(f"there is no worker {number}: `thriftserver ctl workers` lists them")


def _profile(control: str | None, pid: int, seconds: float, rate: int) -> Profile:
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            ask(control, [theirs.fileno()], command="profile", pid=pid, seconds=seconds, rate=rate)
        data = _received(ours, time.monotonic() + seconds, pid)
    try:
        return Profile.parse(data)
    except ValueError as error:
        raise CommandRefused(f"worker {pid}: {harmless(str(error))}") from None


def _received(sock: socket.socket, end: float, pid: int) -> bytes:
    """All that comes, with the seconds that are left on a terminal."""
    sock.settimeout(1.0)
    held = bytearray()
    while len(held) <= LARGEST:
        left = end - time.monotonic()
        if sys.stderr.isatty():
            click.echo(f"\r\x1b[K{f'{left:.0f} s' if left > 0 else ''}", nl=False, err=True)
        try:
            data = sock.recv(1 << 16)
        except TimeoutError:
            if left < -GRACE:
                raise CommandRefused(f"worker {pid} does not answer: it may be stopped, or swapped out") from None
            continue
        if data:
            held += data
        elif held:
            return bytes(held)
        else:
            raise NoServer(f"worker {pid} has ended before it was done, or somebody else looks at it right now")
    raise CommandRefused(f"worker {pid} sends a profile without an end")


def _text(found: Profile) -> str:
    total = found.total
    head = f"{total / 1e9:.2f} s of CPU in {found.seconds:.1f} s, {found.samples} samples of worker {found.pid}"
    if not total:
        return head
    methods = [{"cpu": f"{cpu / total:.1%}", "method": harmless(name)} for name, cpu in found.methods()[:MOST]]
    lines = [
        {
            "cpu": f"{cpu / total:.1%}",
            "function": harmless(frame.name),
            "line": harmless(f"{frame.file}:{frame.line}") if frame.file else "",
        }
        for frame, cpu in found.lines()[:MOST]
    ]
    return "\n\n".join((head, table(methods, ""), table(lines, "")))
