"""structlog, imported without asyncio, which it needs only where somebody logs from a coroutine.

It is a tenth of a start, and brings ssl and selectors into the master, before a worker has patched them.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class _Later(ModuleType):
    """Stands in for a module until something of it is used."""

    def __getattr__(self, name: str) -> Any:
        self.withdraw()
        return getattr(import_module(self.__name__), name)

    def withdraw(self) -> None:
        """From now on, who imports the module gets the real one."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]


def import_structlog() -> Any:
    """The module. What it has of asyncio is a stand-in; everybody else who imports asyncio gets asyncio."""
    if "structlog" not in sys.modules and "asyncio" not in sys.modules:
        later = sys.modules["asyncio"] = _Later("asyncio")
        # structlog makes a log record, which asks from Python 3.12 on whose task it is made in, if there is asyncio.
        later.__dict__["current_task"] = lambda: None
        try:
            import_module("structlog")
        finally:
            del later.__dict__["current_task"]
            later.withdraw()
    import structlog

    return structlog
