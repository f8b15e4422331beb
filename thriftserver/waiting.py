"""How connections wait that this process makes, where somebody has a better way than the standard library's sockets.

A worker's loop says so before anything is known of clients, and most workers have none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: What makes a line (``client.line``) of a socket's family for whoever asks; None for an ordinary one.
Choose = Callable[[], Callable[[int], Any] | None]

_choose: Choose = lambda: None  # noqa: E731
_told: list[Callable[[], None]] = []


def lines_from(choose: Choose) -> None:
    """From now on ``choose`` says, whenever there is something to connect, what is connected.

    Connections that there are already are made anew when they are needed.
    """
    global _choose
    _choose = choose
    for renew in _told:
        renew()


def maker() -> Callable[[int], Any] | None:
    """What makes a line for whoever asks; None for an ordinary one."""
    return _choose()


def when_changed(renew: Callable[[], None]) -> None:
    """Call this when lines are made in another way."""
    _told.append(renew)
