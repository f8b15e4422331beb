"""What may hear of changes in a master's life: systemd, the pidfile and the control socket are such.

It decides nothing, and nobody who hears can end the master (``walls``).
"""

from __future__ import annotations

from typing import Protocol

from thriftserver.master import events


class Observer(Protocol):
    """Hears of changes in the master's life: where systemd, the pidfile and the control socket attach."""

    def announce(self, news: events.News, text: str) -> None: ...

    def tick(self, state: events.State, now: float) -> None:
        """Called about once a second while the master goes round: status texts and watchdogs."""
