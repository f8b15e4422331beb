"""IDL files and all that they include as files of one folder: where each of them stands there, and its text.

What the folder is for, and whether it is one on disk, is nobody's here.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence

from thriftserver.idl.lexer import unquote
from thriftserver.idl.loader import Loader
from thriftserver.schema.model import Module


def nearest(*roots: Module) -> list[Module]:
    """The roots, what they include, what these include, each once: of two files of one name the nearer comes first."""
    found = list(roots)
    for module in found:
        found += [included for included in module.includes if included not in found]
    return found


def places(modules: Sequence[Module]) -> dict[str, str]:
    """Where each file stands, by its own path. Its name has to stay, as IDL files call it by that."""
    found: dict[str, str] = {}
    for module in modules:
        name, number = f"{module.name}.thrift", 1
        while (path := f"{number}/{name}" if number > 1 else name) in found.values():
            number += 1
        found[module.path] = path
    return found


def text(module: Module, loader: Loader, places: Mapping[str, str]) -> str:
    """The text of a file that ``loader`` has read from disk, with its includes as they are in the folder."""
    text = loader.text(module)
    beside = posixpath.dirname(places[module.path])
    for start, end, path in reversed(loader.links(module)):
        there = posixpath.relpath(places[path], beside or ".")
        if unquote(text[start:end]) != there:
            text = f'{text[:start]}"{there}"{text[end:]}'
    return text
