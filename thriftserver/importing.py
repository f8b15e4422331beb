"""IDL files as Python modules: ``import user_thrift`` finds ``user.thrift``, and generated packages fill themselves.

The classes are those of ``thriftserver.load``; nothing here reads an IDL itself.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from types import ModuleType
from typing import Any, Final

from thriftserver.loading import Api, load
from thriftserver.schema.names import aliases, is_reserved

#: What the name of a module ends with that is an IDL file: thriftpy2's rule.
SUFFIX: Final = "_thrift"


def fill(target: dict[str, Any], file: str) -> None:
    """Put what an IDL defines into the globals of a module; ``file`` is relative to the folder of that module.

    Included files become attributes too, where the module has nothing of their names yet.
    """
    api = load(os.path.join(os.path.dirname(target["__file__"]), file))
    for name, value in vars(api).items():
        if isinstance(value, Api):
            target.setdefault(name, value)
        elif not is_reserved(name):
            target[name] = value
    target |= {other: target[true] for other, true in aliases(vars(api)).items()}
    target |= {"__doc__": api.__doc__, "__thrift__": api.__thrift__}


class _IdlLoader(Loader):
    def exec_module(self, module: ModuleType) -> None:
        assert module.__file__ is not None
        fill(vars(module), os.path.basename(module.__file__))


class _IdlFinder(MetaPathFinder):
    """Finds ``user.thrift`` for ``user_thrift``, on the path of the package that it is in, else on ``sys.path``."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        stem = fullname.rpartition(".")[2].removesuffix(SUFFIX)
        if not stem or not fullname.endswith(SUFFIX):
            return None
        for folder in sys.path if path is None else path:
            file = os.path.abspath(os.path.join(folder, f"{stem}.thrift"))
            if os.path.isfile(file):
                return spec_from_file_location(fullname, file, loader=_IdlLoader())
        return None


_finder: Final = _IdlFinder()
_lock: Final = threading.Lock()


def install_import_hook() -> None:
    """From now on ``import user_thrift`` loads ``user.thrift``, found where a ``user_thrift.py`` would be.

    A module of that name that is there in Python wins. Calling it again changes nothing. An IDL with errors raises
    IdlError with the whole report, as ``thriftserver.load`` does.
    """
    with _lock:
        if _finder not in sys.meta_path:
            sys.meta_path.append(_finder)


def remove_import_hook() -> None:
    """Undo ``install_import_hook``; modules that are imported stay."""
    with _lock:
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder is not _finder]
