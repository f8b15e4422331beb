"""Chooses between the compiled twins of the hot rooms and their readable sources: all of them, or none.

Set ``THRIFTSERVER_PURE`` in the environment to run without compiled code.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any, Final

#: The protocols, each a folder of ``codec`` that runs the walkers of ``codec/walk`` over a seam of its own.
PROTOCOLS: Final = ("binary", "compact", "tjson")
WALKERS: Final = ("header", "node", "container", "record", "scan", "message")
#: What is compiled; ``codec.protocol`` has its twin in ``codec._protocol``.
TWINS: Final = (
    "codec.memory",
    "codec.header",
    "codec.protocol",
    *(f"codec.{protocol}.{walker}" for protocol in PROTOCOLS for walker in WALKERS),
    "dialect.transport",
    "dialect.theader",
    "scoreboard.slot",
    "rpc.call",
    "rpc.processor",
    "worker.pump",
    "worker.stream",
    "worker.connection",
    "worker.outgoing",
    "worker.parking",
    "client.deadline",
    "client.conversation",
    "client.line",
    "client.channel",
    "client.lending",
    "client.pooled",
    "tls.ends",
    "tls.tunnel",
)


def _twin(name: str) -> str:
    room, _, module = name.rpartition(".")
    return f"thriftserver.{room}._{module}"


def _is_compiled(name: str) -> bool:
    """Looked for in its folder, because to ask for it by its whole name is to import the packages that it is in."""
    *room, module = _twin(name).split(".")[1:]
    return PathFinder.find_spec(module, [os.path.join(os.path.dirname(__file__), *room)]) is not None


#: Whether compiled code does the work.
NATIVE: Final[bool] = not os.environ.get("THRIFTSERVER_PURE") and all(map(_is_compiled, TWINS))


def choose(name: str) -> ModuleType | Any:
    """The module that does the work of one of the ``TWINS``."""
    return variant(name, NATIVE)


def variant(name: str, native: bool) -> ModuleType | Any:
    """The same, compiled or not whatever has been chosen."""
    return import_module(name_of(name, native))


def name_of(name: str, native: bool = NATIVE) -> str:
    """What the module that does the work of one of the ``TWINS`` is called."""
    assert name in TWINS
    return _twin(name) if native else f"thriftserver.{name}"
