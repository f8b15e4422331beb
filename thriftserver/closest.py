"""Guesses which name somebody meant who wrote another one, for error messages. It knows no names itself."""

from __future__ import annotations

from collections.abc import Iterable


def closest(name: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """The name most like it, or None when none is alike."""
    from difflib import get_close_matches  # most processes never need it

    found = get_close_matches(name, list(known), 1, likeness)
    return found[0] if found else None
