"""Finds the classes that ``--types`` means: those of another library that bear the names of the IDL's structs.

It imports and compares; what is done with the classes is up to ``codec.foreign``.
"""

from __future__ import annotations

import enum
import importlib
import importlib.util
import inspect
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

from thriftserver.codec.foreign import Types
from thriftserver.errors import HandlerError
from thriftserver.rpc.binding import Bound, load_object
from thriftserver.schema import model

#: Where Apache's compiler puts the classes of a file, within the package that it makes for it.
_TTYPES = "ttypes"


def load_types(specs: Sequence[str], bound: Sequence[Bound]) -> Types | None:
    """The classes of all that the services take in arguments; None without any ``specs``.

    Raises HandlerError that lists every struct without a class, or whose class has not its fields.
    """
    if not specs:
        return None
    homes = [load_object("types", spec) for spec in specs]
    structs: dict[model.Struct, type] = {}
    enums: dict[model.Enum, type[enum.Enum]] = {}
    problems = []
    for definition in _used(bound):
        found = next(_candidates(homes, definition), None)
        if isinstance(definition, model.Enum):
            if isinstance(found, type) and issubclass(found, enum.Enum):
                enums[definition] = found
        elif found is None:
            problems.append(f"{_place(definition)}: no class {definition.name} in {', '.join(specs)}")
        elif problem := _unfit(found, definition):
            problems.append(f"{_place(definition)}: {found.__module__}.{found.__qualname__} {problem}")
        else:
            structs[definition] = found
    if problems:
        raise HandlerError("--types lacks classes for arguments:\n  " + "\n  ".join(problems), problems)
    return Types(structs, enums)


def _used(bound: Sequence[Bound]) -> list[model.Struct | model.Enum]:
    """Every struct and enum that an argument may hold, in the order in which they are met."""
    waiting: list[model.Type] = [
        arg.type for each in bound for function in each.service.methods() for arg in function.args
    ]
    found: dict[model.Struct | model.Enum, None] = {}
    while waiting:
        match waiting.pop(0):
            case model.Container() as container:
                waiting += container.parts()
            case model.Enum() as enumeration:
                found[enumeration] = None
            case model.Struct() as struct if struct not in found:
                found[struct] = None
                waiting += [field.type for field in struct.fields]
    return list(found)


def _candidates(homes: Sequence[Any], definition: model.Struct | model.Enum) -> Iterator[type]:
    """Classes of that name, the likeliest first: those of the included file's own module before any others."""
    places = [each for home in homes for each in (home, _part(home, _TTYPES))]
    inner = [_part(each, definition.module) for each in places]
    for place in [*(each for part in inner for each in (part, _part(part, _TTYPES))), *places]:
        found = getattr(place, definition.name, None)
        if inspect.isclass(found):
            yield found


def _part(home: Any, name: str) -> Any:
    """An attribute of a module, or a module within a package; None where there is neither."""
    found = getattr(home, name, None)
    if found is None and isinstance(home, ModuleType) and hasattr(home, "__path__"):
        full = f"{home.__name__}.{name}"
        if importlib.util.find_spec(full) is not None:
            return importlib.import_module(full)
    return found


def _unfit(cls: type, struct: model.Struct) -> str:
    """What keeps a class from being made of the struct's fields; empty if nothing does."""
    try:
        inspect.signature(cls).bind(**{field.name: None for field in struct.fields})
    except TypeError as error:
        return f"cannot be made of the fields of {struct.name}: {error}"
    except ValueError:  # some builtins have no signature
        return ""
    return ""


def _place(definition: model.Definition) -> str:
    return f"{definition.where.path}:{definition.where.line}"
