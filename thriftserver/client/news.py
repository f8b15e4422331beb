"""What changes in a pool, in words for its log: a server is left out or comes back, addresses come and go."""

from __future__ import annotations

import logging
from typing import NamedTuple, TypeAlias

_log = logging.getLogger("thriftserver.pool")
_log.addHandler(logging.NullHandler())  # who wants to read it sets up logging


class Ejected(NamedTuple):
    """A server gets no calls for so many seconds, because so many in a row have failed."""

    address: str
    seconds: float
    failures: int
    problem: str

    def __str__(self) -> str:
        calls = "a call has failed" if self.failures == 1 else f"{self.failures} calls in a row have failed"
        return f"{self.address} gets no calls for {self.seconds:.3g} s: {calls}, the last one: {self.problem}"


class Returned(NamedTuple):
    """A server that was left out gets calls again."""

    address: str

    def __str__(self) -> str:
        return f"{self.address} answers, and gets calls again"


class Moved(NamedTuple):
    """The names stand for other servers than before."""

    added: tuple[str, ...]
    removed: tuple[str, ...]

    def __str__(self) -> str:
        words = [f"{', '.join(part)} {verb}" for part, verb in ((self.added, "added"), (self.removed, "gone")) if part]
        return f"addresses have changed: {'; '.join(words)}"


class Unresolved(NamedTuple):
    """The names cannot be resolved any more; it goes on with the servers that are known."""

    problem: str

    def __str__(self) -> str:
        return f"goes on with the addresses it has: {self.problem}"


class Resolved(NamedTuple):
    """The names can be resolved again."""

    def __str__(self) -> str:
        return "its names are resolved again"


News: TypeAlias = Ejected | Returned | Moved | Unresolved | Resolved


def tell(pool: str, news: News) -> None:
    """One line in the log ``thriftserver.pool``."""
    level = logging.WARNING if isinstance(news, (Ejected, Unresolved)) else logging.INFO
    _log.log(level, "pool of %s: %s", pool, news)
