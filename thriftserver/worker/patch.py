"""Makes the standard library cooperative, before any handler code is imported.

gevent does the work. What took longer than the work itself was how it finds its plugins, so that is done here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from operator import attrgetter
from typing import Any

#: How the groups of gevent's plugins begin; what follows is the event they want to hear of.
_PLUGINS = "gevent.plugins."


def patch() -> None:
    """Patch everything that gevent knows. Its plugins are told, like anybody who has subscribed to its events."""
    from gevent import events as _events
    from gevent import monkey

    events: Any = _events  # its types leave out what is needed here
    # gevent asks importlib.metadata for plugins 25 times; to import that and to ask it even once takes 15 ms.
    announced = set(plugins(sys.path))
    ask = events.notify_and_call_entry_points

    def tell(event: Any) -> None:
        events.notify(event)
        for group, module, name in announced:
            if group == event.ENTRY_POINT_NAME:
                attrgetter(name)(import_module(module))(event)

    events.notify_and_call_entry_points = tell
    try:
        monkey.patch_all()
    finally:
        events.notify_and_call_entry_points = ask


def plugins(path: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    """What installed packages below ``path`` announce for gevent: entry point group, module, name within it."""
    for folder in path:
        with suppress(OSError):  # no folder, or one that may not be read
            for name in os.listdir(folder or "."):
                if name.endswith((".dist-info", ".egg-info")):
                    yield from _announced(os.path.join(folder, name, "entry_points.txt"))


def _announced(path: str) -> Iterator[tuple[str, str, str]]:
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
    except (OSError, UnicodeError):  # most packages announce nothing
        return
    group = ""
    for line in text.splitlines() if _PLUGINS in text else ():
        if line.startswith("["):
            group = line.strip("[] ")
        elif group.startswith(_PLUGINS) and "=" in line:
            module, _, name = line.partition("=")[2].partition("[")[0].strip().partition(":")
            yield group, module, name
