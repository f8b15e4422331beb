"""Which calls somebody wants to overhear, and what of them: what a tool asks for, and a worker goes by."""

from __future__ import annotations

import re
from fnmatch import translate

import msgspec
from msgspec import Struct

from thriftserver.scoreboard.layout import OUTCOMES


class Wanted(Struct, frozen=True, forbid_unknown_fields=True):
    """``methods`` and ``peers`` are patterns with ``*`` and ``?``, of which one has to fit; none for all.

    A method is ``name`` or ``Service.name``. ``outcomes`` are those of ``layout.OUTCOMES``; ``slower`` is in
    nanoseconds, ``share`` how many of all calls are looked at. ``headers``: with what came beside the call;
    ``secrets``: with what the IDL says must not be shown.
    """

    methods: tuple[str, ...] = ()
    peers: tuple[str, ...] = ()
    outcomes: tuple[str, ...] = ()
    slower: int = 0
    share: float = 1.0
    headers: bool = False
    secrets: bool = False

    @classmethod
    def parse(cls, data: object) -> Wanted:
        """From JSON data. Raises ValueError for what makes no sense."""
        try:
            wanted = msgspec.convert(data, cls)
        except msgspec.ValidationError as error:
            raise ValueError(f"what is wanted makes no sense: {error}") from None
        if unknown := set(wanted.outcomes) - set(OUTCOMES):
            raise ValueError(f"there is no outcome {min(unknown)!r}; there are {', '.join(OUTCOMES)}")
        if not 0 < wanted.share <= 1:
            raise ValueError("the share must be more than 0, and 1 (100%) at most")
        return wanted


class Filter:
    """The same, made to be asked of each call."""

    def __init__(self, wanted: Wanted) -> None:
        self._outcomes = frozenset(wanted.outcomes)
        self._slower = wanted.slower
        self._methods = _any(wanted.methods)
        self._peers = _any(wanted.peers)

    def fits(self, service: str, method: str, peer: str, outcome: str, duration: int) -> bool:
        """Is this call wanted? ``duration`` is in nanoseconds."""
        if duration < self._slower or (self._outcomes and outcome not in self._outcomes):
            return False
        if self._methods and not (self._methods.match(method) or self._methods.match(f"{service}.{method}")):
            return False
        return self._peers is None or self._peers.match(peer) is not None


def _any(patterns: tuple[str, ...]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(translate, patterns))) if patterns else None
