"""How a name of an IDL is written in Python where one of Python's own is in the way: one rule for all kinds of names.

A keyword has an underscore behind it, beside its true name. What begins and ends with two underscores is Python's and
ours, and no IDL may define it: so nothing of ours needs another name to be out of the way.
"""

from __future__ import annotations

import keyword
from collections.abc import Collection, Iterable, Mapping
from typing import Any


def is_reserved(name: str) -> bool:
    return len(name) > 4 and name.startswith("__") and name.endswith("__")


def alias(name: str) -> str:
    """What else a name is written as; empty for one that can be written as it is."""
    return f"{name}_" if keyword.iskeyword(name) else ""


def spellings(name: str, cls: type) -> list[str]:
    """What a method may be called in a class that somebody has written: `import_`, or what Python makes of `__x`."""
    found = [name]
    if other := alias(name):
        found.append(other)
    if name.startswith("__"):
        found += [f"_{base.__name__.lstrip('_')}{name}" for base in cls.__mro__]
    return found


def aliases(names: Collection[str]) -> dict[str, str]:
    """Alias -> name, of those that have one which is nobody's name."""
    return {alias(name): name for name in names if alias(name) and alias(name) not in names}


def meant(given: Mapping[str, Any], names: Collection[str]) -> Mapping[str, Any]:
    """Keyword arguments by the true names of an IDL. Raises TypeError for one that is there under both."""
    others = aliases(names)
    if others.keys().isdisjoint(given):
        return given
    found: dict[str, Any] = {}
    for name, value in given.items():
        true = others.get(name, name)
        if true in found:
            raise TypeError(f"{true!r} is given twice: as {true!r} and as {alias(true)!r}")
        found[true] = value
    return found


def properties(names: Iterable[str]) -> dict[str, property]:
    """Attributes of a class under the aliases of its fields' names."""
    return {other: _property(name) for other, name in aliases(tuple(names)).items()}


def _property(name: str) -> property:
    return property(lambda self: getattr(self, name), lambda self, value: setattr(self, name, value))
