"""Brings pickled values of IDL classes back to life: in another process, by path and name of the definition.

Nothing here knows how an IDL is loaded; a process that has not loaded one yet asks ``thriftserver.load``.
"""

from __future__ import annotations

import os
from typing import Any
from weakref import WeakValueDictionary

import thriftserver

#: (path of the IDL, name of the definition) -> the class made last.
_live: WeakValueDictionary[tuple[str, str], type] = WeakValueDictionary()


def register(path: str, name: str, made: type) -> None:
    _live[_key(path, name)] = made


def revive(path: str, module: str, name: str, values: Any) -> Any:
    """The value that was pickled as ``values``: field name -> value, or an enum's number.

    Fields that the class no longer has are dropped, new ones get their default: as on the wire.
    """
    made = _live.get(_key(path, name))
    if made is None:
        thriftserver.load(path)
        made = _live.get(_key(path, name))
    if made is None:
        raise LookupError(f"no class {module}.{name}: {path} does not define it any more")
    if isinstance(values, int):
        return made._value2member_map_.get(values, values)  # type: ignore[attr-defined]
    known = {field.name for field in made.__thrift__.fields}  # type: ignore[attr-defined]
    return made(**{key: value for key, value in values.items() if key in known})


def _key(path: str, name: str) -> tuple[str, str]:
    return os.path.realpath(path), name
