"""What ``run --print-config`` and ``--check-config`` say: the options in force, their origins, and whether they hold.

It binds nothing, starts nothing, and imports no handler: `thriftserver check` does that.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from thriftserver.assignment import Program
from thriftserver.config import OPTIONS, Settings
from thriftserver.master import sockets
from thriftserver.master.keeping import gather
from thriftserver.origins import misspelt


def listing(settings: Settings, origins: Mapping[str, str]) -> str:
    """Every option as a line of TOML that a configuration file may hold, its origin beside it."""
    lines = [(f"{row.name} = {_toml(getattr(settings, row.name))}", origins[row.name]) for row in OPTIONS]
    width = min(max(len(text) for text, _ in lines), 60)  # one long value does not push every origin out of sight
    return "\n".join(f"{text:<{width}}  # {origin}" for text, origin in lines)


def verdict(program: Program) -> str:
    """``ok`` and what would be served. Raises ConfigError for what reading alone has not found."""
    settings = program.settings
    addresses = [str(sockets.parse(sockets.unmarked(text)[0])) for text in settings.bind]
    if settings.admin:
        sockets.parse(settings.admin)
        from thriftserver.admin import boot

        boot.require()
    if settings.certfile:
        os.close(gather(settings))
    services = ", ".join(name for module in program.modules for name in module.services)
    return "\n".join([*_doubts(os.environ), f"ok: {services} on {', '.join(addresses)}, workers: {settings.workers}"])


def _doubts(environ: Mapping[str, str]) -> Iterator[str]:
    for name, meant in misspelt(environ):
        yield f"warning: {name} is ignored; is {meant} meant?"


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(_pair(item)) for item in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return str(int(value)) if value == int(value) else str(value)
    return str(value) if isinstance(value, int) else json.dumps(value, ensure_ascii=False)


def _pair(item: Any) -> Any:
    """A method with its limit, as it is written."""
    return f"{item[0]}={_toml(item[1])}" if isinstance(item, tuple) else item
