"""``thriftserver top``: the server's workers and methods, live in a terminal, from its admin address.

It shows what ``/workers`` and ``/methods`` say and reckons nothing itself.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import sys
import termios
import time
import tty
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import click

from thriftserver.cli.dialects import in_use
from thriftserver.cli.options import config_option, setting_options
from thriftserver.errors import ConfigError, TransportError
from thriftserver.master.sockets import parse
from thriftserver.origins import resolve
from thriftserver.quantities import duration

Method = dict[str, Any]

#: What methods can be sorted by: name, the key that chooses it, and what decides.
ORDERS: dict[str, tuple[str, Callable[[Method], Any]]] = {
    "rate": ("r", lambda each: (-each["rate"], -each["calls"])),
    "p99": ("p", lambda each: -max(each["p99"] or 0, each["oldest"] or 0)),
    "inflight": ("i", lambda each: (-each["in_flight"], -(each["oldest"] or 0))),
    "failures": ("f", lambda each: (-each["failures"], -each["failed"])),
    "name": ("n", lambda each: _name(each)),
}
#: Seconds to wait for an answer.
PATIENCE = 5.0

BOLD, FAINT, RED, GREEN, YELLOW = "1", "2", "31", "32", "33"
_TONES = {"serving": GREEN, "stuck": RED}


@click.command()
@setting_options("admin")
@config_option
@click.option("--sort", type=click.Choice(list(ORDERS)), default="p99", show_default=True, help="Order of the methods.")
@click.option("--interval", default="2s", show_default=True, metavar="DURATION", help="How often to look.")
@click.option("--once", is_flag=True, help="Print what is the case now, and leave.")
@click.option("--json", "as_json", is_flag=True, help="With --once: everything, as one JSON object.")
def top(admin: str | None, config: str | None, sort: str, interval: str, once: bool, as_json: bool) -> None:
    """Watch a running server: its workers, and which method is slow, busy or failing.

    Reads the address that the server was given with --admin, from here, the environment or the configuration file.
    Keys: r p i f n sort the methods by rate, p99, calls in flight, failures and name; q leaves.

    Exits with 7 if the server does not answer with --once, 2 if the options make no sense.
    """
    url = _url(resolve({"admin": admin}, config)[0].admin)
    try:
        seconds = max(duration(interval), 0.1)
    except ValueError as error:
        raise ConfigError(f"--interval: {error}") from None
    if as_json and not once:
        raise ConfigError("--json needs --once")
    if once:
        data = read(url)
        click.echo(json.dumps(data, ensure_ascii=False) if as_json else "\n".join(screen(data, sort, 120, 1000, False)))
    elif not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise ConfigError("a live view needs a terminal; --once prints one, --once --json is for scripts")
    else:
        _watch(url, sort, seconds)


def _url(address: str) -> str:
    """``HOST:PORT`` or a URL as a URL to connect to."""
    if not address:
        raise ConfigError("no admin address: give --admin HOST:PORT, the one that the server was started with")
    if address.startswith(("http://", "https://")):
        return address.rstrip("/")
    where = parse(address, "connect to")
    if where.kind != "tcp" or not where.port:
        raise ConfigError(f"cannot connect to {address!r}: write HOST:PORT or http://HOST:PORT")
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(where.host, where.host)
    return f"http://[{host}]:{where.port}" if ":" in host else f"http://{host}:{where.port}"


def read(url: str) -> dict[str, Any]:
    """Workers, methods and calls in flight as the server tells them. Raises TransportError."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    found = {}
    for name in ("workers", "methods", "calls"):
        try:
            with direct.open(f"{url}/{name}", timeout=PATIENCE) as answer:
                found[name] = json.load(answer)
        except (OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise TransportError(f"{url} does not answer as a thriftserver: {reason}") from None
    return found


def _watch(url: str, sort: str, seconds: float) -> None:
    """Draw again and again until somebody presses q."""
    keys = {key: name for name, (key, _) in ORDERS.items()}
    with _full_screen():
        data, problem, due = None, "", 0.0
        while True:
            if time.monotonic() >= due:
                try:
                    data, problem = read(url), ""
                except TransportError as error:
                    problem = f"{error}; trying again"
                due = time.monotonic() + seconds
            size = shutil.get_terminal_size()
            lines = [_paint(problem, RED)] if problem else []
            if data is not None:
                lines += screen(data, sort, size.columns, size.lines - len(lines), True)
            sys.stdout.write("\x1b[H" + "\x1b[K\r\n".join(lines[: size.lines]) + "\x1b[J")
            sys.stdout.flush()
            if select.select([sys.stdin], [], [], max(due - time.monotonic(), 0))[0]:
                pressed = os.read(sys.stdin.fileno(), 1).decode("ascii", "replace")
                if pressed in ("q", "\x03", ""):
                    return
                sort = keys.get(pressed, sort)


@contextlib.contextmanager
def _full_screen() -> Iterator[None]:
    """The terminal's second screen, keys without Enter; all as it was afterwards."""
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setcbreak(sys.stdin)
        sys.stdout.write("\x1b[?1049h\x1b[?25l\x1b[?7l")
        yield
    except KeyboardInterrupt:
        pass
    finally:
        sys.stdout.write("\x1b[?7h\x1b[?25h\x1b[?1049l")
        sys.stdout.flush()
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def screen(data: dict[str, Any], sort: str, width: int, height: int, colour: bool) -> list[str]:
    """What is shown, line by line; no more lines than ``height``."""
    paint = _paint if colour and not os.environ.get("NO_COLOR") else lambda text, _tone: text
    workers, methods = data["workers"], data["methods"]
    lines = _head(workers, methods, paint)
    lines += [paint(_clean(reason), YELLOW if workers["ready"] else RED) for reason in workers["reasons"]]
    lines += [paint(_clean(text), RED) for text in _lost(workers)]
    lines.append("")
    lines += [_worker_row(None, paint), *(_worker_row(each, paint) for each in workers["workers"])]
    lines.append("")
    room = max(height - len(lines) - 1, 3)
    ordered = sorted(methods["methods"], key=ORDERS[sort][1])
    name = max([24, *(len(_name(each)) for each in ordered[:room])])
    name = min(name, max(width - 66, 24))
    lines += [_method_row(None, name, sort, paint), *(_method_row(each, name, sort, paint) for each in ordered[:room])]
    return lines[:height]


def _head(workers: dict[str, Any], methods: dict[str, Any], paint: Callable[[str, str], str]) -> list[str]:
    ready = paint("ready", GREEN) if workers["ready"] else paint("NOT READY", RED)
    facts = {
        "calls/s": _count(methods["total"]["rate"]),
        "failures/s": _count(methods["total"]["failures"]),
        "p50": _time(methods["total"]["p50"]),
        "p99": _time(methods["total"]["p99"]),
        "in flight": _count(methods["in_flight"]),
        "waiting": _count(methods["queued"]),
        "connections": _count(methods["connections"]),
    }
    lines = [
        f"{paint('thriftserver', BOLD)} {workers['version']}  {ready}  "
        f"{workers['serving']}/{workers['wanted']} workers  generation {workers['generation']}  "
        f"up {_age(workers['uptime'])}",
        "   ".join(f"{name} {paint(value, BOLD)}" for name, value in facts.items()),
    ]
    if dialects := in_use(workers.get("dialects", {})):
        lines.append(f"dialects: {dialects}")
    return lines


def _lost(workers: dict[str, Any]) -> Iterator[str]:
    """What nobody gets back: calls, connections and log lines; only what there is."""
    for trouble in workers.get("troubles", ()):
        if trouble["kind"].endswith("_lost"):
            yield f"{trouble['kind'].replace('_', ' ')}: {_count(trouble['count'])} ({trouble['text']})"


def _worker_row(worker: dict[str, Any] | None, paint: Callable[[str, str], str]) -> str:
    if worker is None:
        left = f"{'WORKER':>6} {'PID':>8} {'GEN':>4}  {'STATE':<9}{'BEAT':>8}"
        return paint(f"{left} {'CONNS':>7} {'FLIGHT':>7} {'WAIT':>6}  OLDEST CALL", FAINT)
    oldest = f"{_clean(worker['oldest_method'])} {_age(worker['oldest_call'])}" if worker["oldest_call"] else "-"
    state = paint(f"{worker['state']:<9}", _TONES.get(worker["state"], YELLOW))
    return (
        f"{worker['number']:>6} {worker['pid']:>8} {worker['generation']:>4}  {state}"
        f"{_age(worker['heartbeat_age']):>8} {_count(worker['connections']):>7} {_count(worker['in_flight']):>7} "
        f"{_count(worker['queued']):>6}  {oldest}"
    )


def _method_row(method: Method | None, width: int, sort: str, paint: Callable[[str, str], str]) -> str:
    if method is None:
        heads = {
            "rate": "CALLS/S",
            "failures": "FAIL/S",
            "p50": "P50",
            "p99": "P99",
            "oldest": "OLDEST",
            "inflight": "FLIGHT",
        }
        cells = [f"{'*' if name == sort else ''}{text}".rjust(9) for name, text in heads.items()]
        return paint(f"{'METHOD':<{width}}" + "".join(cells) + f"{'CALLS':>9}", FAINT)
    slow = max(method["p99"] or 0, method["oldest"] or 0)
    tone = RED if slow >= 2 else YELLOW if slow >= 0.5 else ""
    name = _name(method)
    name = name if len(name) <= width else "~" + name[len(name) - width + 1 :]
    failures = f"{_count(method['failures']):>9}"
    times = f"{_time(method['p50']):>9}{_time(method['p99']):>9}{_age(method['oldest']):>9}"
    return (
        f"{name:<{width}}{_count(method['rate']):>9}{paint(failures, RED) if method['failures'] else failures}"
        f"{paint(times, tone) if tone else times}{_count(method['in_flight']):>9}{_count(method['calls']):>9}"
    )


def _name(method: Method) -> str:
    return _clean(f"{method['service']}.{method['method']}" if method["service"] else method["method"])


def _clean(text: str) -> str:
    """Nothing that a terminal would obey."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _paint(text: str, tone: str) -> str:
    return f"\x1b[{tone}m{text}\x1b[0m"


def _count(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}" if value < 1000 * size else f"{value / size:.0f}{letter}"
    return f"{value:.3g}"


def _time(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if seconds >= 100:
        return _age(seconds)
    for size, unit in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"


def _age(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    for size, unit, smaller, name in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}{int(seconds % size // smaller):02d}{name}"
    return f"{seconds:.1f}s"
