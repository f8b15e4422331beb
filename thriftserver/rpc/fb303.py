"""Answers the methods of ``fb303.FacebookService`` that a handler does not write itself.

What there is to say comes from a ``Provider``; nothing here knows where its counters live or what a shutdown is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from enum import IntEnum
from typing import Any, Final

from msgspec import Struct, field

from thriftserver.errors import ApplicationError
from thriftserver.schema.model import Function

SERVICE: Final = "FacebookService"
MODULE: Final = "fb303"
#: Any peer may set options, so there is an end to them; lengths are in characters, name and value together.
MAX_OPTIONS: Final = 1000
MAX_OPTION: Final = 4096


class Status(IntEnum):
    """``fb303.fb_status``."""

    DEAD = 0
    STARTING = 1
    ALIVE = 2
    STOPPING = 3
    STOPPED = 4
    WARNING = 5


def _nothing() -> None:
    """What ``reinitialize`` and ``shutdown`` do by default: any peer may call them."""


class Provider(Struct):
    """What a server tells about itself; each part is replaced by whoever knows better.

    ``alive_since`` is in seconds since 1970, ``counters`` gives integers of 64 bits. ``options`` belong to one process:
    what a client sets in one worker is not known in another.
    """

    name: str = ""  # empty: that of the service
    version: str = ""
    alive_since: int = field(default_factory=lambda: int(time.time()))
    status: Callable[[], int] = lambda: Status.ALIVE
    details: Callable[[], str] = lambda: ""
    counters: Callable[[], Mapping[str, int]] = dict
    options: dict[str, str] = {}
    reinitialize: Callable[[], None] = _nothing
    shutdown: Callable[[], None] = _nothing


def has_default(function: Function) -> bool:
    """Is this a method that a handler may lack?

    A copy of fb303.thrift of the user's own counts as well: the service and its file must have their usual names.
    """
    return function.service == SERVICE and function.module == MODULE and function.name in _METHODS


def default_of(function: Function, service: str, provider: Provider) -> Callable[..., Any] | None:
    """What answers a method that its handler lacks; None for one that is not fb303's."""
    if not has_default(function):
        return None
    answer: Callable[..., Any] = getattr(Defaults(provider, service), function.name)
    return answer


class Defaults:
    """The methods of the IDL under their names; ``service`` is the name of the one that is served."""

    def __init__(self, provider: Provider, service: str) -> None:
        self._provider = provider
        self._service = service

    def getName(self) -> str:
        return self._provider.name or self._service

    def getVersion(self) -> str:
        return self._provider.version

    def getStatus(self) -> int:
        return self._provider.status()

    def getStatusDetails(self) -> str:
        return self._provider.details()

    def getCounters(self) -> Mapping[str, int]:
        return self._provider.counters()

    def getCounter(self, key: str) -> int:
        return self._provider.counters().get(key, 0)

    def setOption(self, key: str, value: str) -> None:
        options = self._provider.options
        if len(key) + len(value) > MAX_OPTION or (key not in options and len(options) >= MAX_OPTIONS):
            limits = f"{MAX_OPTIONS} options of {MAX_OPTION} characters"
            raise ApplicationError(message=f"this server keeps {limits} at most")
        options[key] = value

    def getOption(self, key: str) -> str:
        return self._provider.options.get(key, "")

    def getOptions(self) -> Mapping[str, str]:
        return self._provider.options

    def getCpuProfile(self, seconds: int) -> str:
        """No profile: sampling is for an operator to start, not for a peer."""
        del seconds
        return ""

    def aliveSince(self) -> int:
        return self._provider.alive_since

    def reinitialize(self) -> None:
        self._provider.reinitialize()

    def shutdown(self) -> None:
        self._provider.shutdown()


_METHODS: Final = frozenset(name for name in vars(Defaults) if not name.startswith("_"))
