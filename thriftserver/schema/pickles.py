"""Brings pickled values of IDL classes back to life: in another process, by path and name of the definition.

Nothing here knows how an IDL is loaded; the top-level package installs that with ``set_importer``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from weakref import WeakValueDictionary

#: (path of the IDL, name of the definition) -> the class made last.
_live: WeakValueDictionary[tuple[str, str], type] = WeakValueDictionary()
_importer: Callable[[str], Any] | None = None


def set_importer(importer: Callable[[str], Any] | None) -> None:
    """Install what loads an IDL by its path; it must leave the classes of that IDL made."""
    global _importer
    _importer = importer


def register(path: str, name: str, made: type) -> None:
    _live[_key(path, name)] = made


def revive(path: str, module: str, name: str, values: Any) -> Any:
    """The value that was pickled as ``values``: field name -> value, or an enum's number.

    Fields that the class no longer has are dropped, new ones get their default: as on the wire.
    """
    made = _live.get(_key(path, name))
    if made is None and _importer is not None:
        _importer(path)
        made = _live.get(_key(path, name))
    if made is None:
        raise LookupError(f"no class {module}.{name}: {path} is not loaded")
    if isinstance(values, int):
        return made._value2member_map_.get(values, values)  # type: ignore[attr-defined]
    known = {field.name for field in made.__thrift__.fields}  # type: ignore[attr-defined]
    return made(**{key: value for key, value in values.items() if key in known})


def _key(path: str, name: str) -> tuple[str, str]:
    return os.path.realpath(path), name
