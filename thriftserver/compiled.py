"""Chooses between the compiled twins of the hot rooms and their readable sources: all of them, or none.

Set ``THRIFTSERVER_PURE`` in the environment to run without compiled code.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Final

#: What is compiled; ``codec.message`` has its twin in ``codec._message``.
TWINS: Final = (
    "codec.node",
    "codec.container",
    "codec.walk",
    "codec.message",
    "scoreboard.slot",
    "rpc.call",
    "rpc.processor",
    "worker.pump",
    "worker.stream",
    "worker.connection",
)


def _twin(name: str) -> str:
    room, _, module = name.rpartition(".")
    return f"thriftserver.{room}._{module}"


#: Whether compiled code does the work.
NATIVE: Final[bool] = not os.environ.get("THRIFTSERVER_PURE") and all(find_spec(_twin(name)) for name in TWINS)


def choose(name: str) -> ModuleType | Any:
    """The module that does the work of one of the ``TWINS``."""
    assert name in TWINS
    return import_module(_twin(name) if NATIVE else f"thriftserver.{name}")
