"""Modules of another shape than the packages of ``thriftserver generate`` that they stand for: Apache's.

``prefix.shop.ttypes`` and ``prefix.shop.constants`` have what the package ``shop`` has, and ``prefix.shop.Shop`` is a
module with a ``Client`` that takes a protocol.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

from thriftserver.compat.link import over_protocol
from thriftserver.loading import ServiceApi
from thriftserver.schema.names import is_reserved

#: Modules of Apache's packages that hold what the whole package holds here.
_PARTS: Final = ("ttypes", "constants")


class _Shaped(Loader):
    """Fills a module from the one that it stands for."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__.removeprefix(self._prefix)
        parent, _, last = name.rpartition(".")
        package = vars(sys.modules[parent]) if parent else {}
        if "__thrift__" in package and last in _PARTS:
            vars(module).update(_public(package))
        elif isinstance(service := package.get(last), ServiceApi):
            vars(module)["Client"] = over_protocol(service.__thrift__)
        else:
            self._fill(module, name)

    def _fill(self, module: ModuleType, name: str) -> None:
        try:
            true = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            raise ModuleNotFoundError(
                f"there is no package {name}; `thriftserver generate` writes it", name=name
            ) from None
        if "__thrift__" in vars(true):
            vars(module).update(_public(vars(true)))
            for each, value in vars(true).items():
                if isinstance(value, ServiceApi):
                    importlib.import_module(f"{module.__name__}.{each}")
        elif not hasattr(true, "__path__") or "ttypes" in getattr(true, "__all__", ()):
            raise ImportError(f"{name} is not from `thriftserver generate`: {true.__file__}", name=name)


class _Finder(MetaPathFinder):
    def __init__(self, prefix: str) -> None:
        self._prefix = prefix

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not fullname.startswith(self._prefix):
            return None
        return ModuleSpec(fullname, _Shaped(self._prefix), is_package=True)


def _public(names: dict[str, Any]) -> dict[str, Any]:
    """What a package has of its IDL, but the services."""
    return {name: value for name, value in names.items() if not is_reserved(name) and not isinstance(value, ServiceApi)}


def shape_below(package: str) -> None:
    """From now on, what is imported below this package stands for the module of the rest of its name."""
    sys.meta_path.append(_Finder(f"{package}."))
