"""Guesses at what an author meant.

It knows words, and nothing of where they stand.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from thriftserver.closest import closest

# Comparing words is slow, so there are limits to what is compared.
MAX_CANDIDATES: Final = 1000
MAX_DISTANCE: Final = 4
MAX_LENGTH: Final = 80


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The rest of the sentence "unknown type `Usr`", or nothing when no known name is close."""
    candidates = list(known)
    for other in candidates:
        if other.lower() == name.lower() or other.rpartition(".")[2] == name:
            return f"; did you mean `{other}`?"
    near = [other for other in candidates if abs(len(other) - len(name)) <= MAX_DISTANCE and len(other) <= MAX_LENGTH]
    close = closest(name, near[:MAX_CANDIDATES], 0.7)
    return f"; did you mean `{close}`?" if close else ""
