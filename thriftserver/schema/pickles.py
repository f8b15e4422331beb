"""Brings values of IDL classes back to life: copies in this process, pickled ones by path and name of the definition.

Nothing here knows how an IDL is loaded; a process that has not loaded one yet asks ``thriftserver.load``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any
from weakref import WeakValueDictionary

import thriftserver
from thriftserver.errors import IdlError
from thriftserver.schema.model import Enum, Home, Struct

#: (real path of the IDL, name of the definition) -> the class made last.
_live: WeakValueDictionary[tuple[str, str], type] = WeakValueDictionary()


def register(definition: Struct | Enum, made: type) -> None:
    _live[home_of(definition).path, definition.name] = made


def home_of(definition: Struct | Enum) -> Home:
    return definition.home or Home(definition.where.path)


def is_generated(cls: type) -> bool:
    """Was it made from an IDL, or did somebody derive it from such a class?"""
    return "__thrift__" in cls.__dict__


def reduced(value: Any, content: dict[str, Any] | int) -> tuple[Any, ...]:
    """What a pickle holds of a value. A derived class is found by its own module and name, as any class."""
    cls = type(value)
    if not is_generated(cls):
        return rebuild, (cls, content)
    definition = cls.__thrift__
    home = home_of(definition)
    return revive, (home.path, definition.module, definition.name, content, home.include_dirs)


def revive(path: str, module: str, name: str, content: Any, include_dirs: Sequence[str] = ()) -> Any:
    """The value that was pickled as ``content``: field name -> value, or an enum's number.

    Fields that the class no longer has are dropped, new ones get their default: as on the wire.
    """
    return rebuild(_find(path, module, name, include_dirs), content)


def rebuild(cls: Any, content: Any) -> Any:
    if isinstance(content, int):
        return cls._value2member_map_.get(content, content)
    return cls.__rebuild__(content)


def _find(path: str, module: str, name: str, include_dirs: Sequence[str]) -> type:
    """The class, without reading a file where this process has it."""
    made = _live.get((path, name)) or _live.get((_real(path), name))
    if made is not None:
        return made
    try:
        thriftserver.load(path, include_dirs)
    except IdlError:
        # The file of an older release, say. What this process has under that name may be meant, if it is the only one.
        if (made := _namesake(module, name)) is not None:
            return made
        raise
    made = _live.get((_real(path), name))
    if made is None:
        raise LookupError(f"no class {module}.{name}: {path} does not define it any more")
    return made


def _real(path: str) -> str:
    try:
        return os.path.realpath(path)
    except OSError:  # a relative path, and the current directory is gone
        return path


def _namesake(module: str, name: str) -> type | None:
    found = [made for (_, known), made in list(_live.items()) if known == name and _module_of(made) == module]
    return found[0] if len(found) == 1 else None


def _module_of(made: Any) -> str:
    return made.__thrift__.module  # type: ignore[no-any-return]
