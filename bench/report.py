"""Results as markdown: printed, and with --update written between the markers of a document. Nothing here measures."""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("gevent", "greenlet", "msgspec", "thrift", "thriftpy2")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A markdown table; every column but the first is right-aligned."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def machine() -> str:
    """When and where: figures mean nothing without it."""
    cpuinfo = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = next((line.split(":")[1].strip() for line in cpuinfo if line.startswith("model name")), platform.machine())
    today = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC")
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    return (
        f"{today}; {os.cpu_count()} cores of {cpu}, Linux {platform.release()}, load average {load}; "
        f"Python {platform.python_version()}, " + ", ".join(f"{name} {found}" for name, found in _versions())
    )


def _versions() -> Iterable[tuple[str, str]]:
    for name in PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue


def parser(description: str | None) -> argparse.ArgumentParser:
    """What every benchmark accepts."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--rounds", type=int, default=9, help="how often everything takes its turn (default: 9)")
    made.add_argument("--update", type=Path, metavar="FILE", help="write the results between this file's markers, too")
    return made


def publish(section: str, body: str, update: Path | None) -> None:
    """Print a section; replace it in the document between ``<!-- SECTION: begin -->`` and ``<!-- SECTION: end -->``."""
    repeat = f"`python -m {_module()} {' '.join(sys.argv[1:])}`".replace(" `", "`")
    body = f"{machine()}. To repeat: {repeat}\n\n{body}"
    print(f"\n## {section}\n\n{body}", flush=True)
    if update is not None:
        update.write_text(replaced(update.read_text(), section, body))


def replaced(text: str, section: str, body: str) -> str:
    begin, end = f"<!-- {section}: begin -->", f"<!-- {section}: end -->"
    if text.count(begin) != 1 or text.count(end) != 1:
        raise SystemExit(f"there must be one {begin} and one {end} to write between")
    before, rest = text.split(begin)
    return f"{before}{begin}\n\n{body}\n\n{end}{rest.split(end)[1]}"


def _module() -> str:
    """The benchmark that was started, as ``python -m`` takes it."""
    return f"bench.{Path(sys.argv[0]).stem}"
