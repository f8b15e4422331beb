"""What to say of a name that no method has: what there is instead, and which may have been meant.

A peer chooses the name and how often it asks, so guessing, which takes long, is bounded.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from time import monotonic

from thriftserver.closest import closest

#: Guesses in a second, and letters of a name that is worth one.
RATE, LETTERS = 20, 64


class Guesses:
    """Those of one processor."""

    def __init__(self) -> None:
        self._made = 0
        self._since = monotonic()

    def about(self, sent: str, services: Sequence[str], names: Collection[str]) -> str:
        """``names`` are all that calls may bear, bare ones and ``Service:method``; bare ones mean the first service."""
        service, colon, name = sent.rpartition(":")
        if colon and service not in services:
            return f"no service {service!r} here; there is {', '.join(services)}"
        if not colon:
            service, name = services[0], sent
            shared = [each for each in (f"{one}:{name}" for one in services) if each in names]
            if shared:
                return f"{name!r} could be any of {', '.join(shared)}: call one of these names"
        return f"no method {name!r} in {service}{self._hint(name, service, names)}"

    def _hint(self, name: str, service: str, names: Collection[str]) -> str:
        now = monotonic()
        if now - self._since > 1:
            self._since, self._made = now, 0
        self._made += 1
        if self._made > RATE or len(name) > LETTERS:
            return ""
        prefix = f"{service}:"
        close = closest(name, [each.removeprefix(prefix) for each in names if each.startswith(prefix)])
        return f"; did you mean {close!r}?" if close else ""
