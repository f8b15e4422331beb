"""What one process of a load test has counted in one second: what it tells the one that gathers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thriftserver.loadtest.histogram import Histogram

#: What comes of a call: a result, an exception that the IDL declares, an error in the place of an answer, none at all.
KINDS = ("result", "exception", "refused", "unanswered")
RESULT, DECLARED, REFUSED, UNANSWERED = range(len(KINDS))
#: Different texts of what went wrong that are told apart, of each method and kind; all others are one.
TEXTS = 50
OTHERS = "(others)"
#: Characters of such a text.
_LENGTH = 300


class Tally:
    """Of one method: how many calls by ``KINDS``, how long those took whose end was waited for (an answer, or that the
    time was over), and what was wrong with the others than results.
    """

    __slots__ = ("kinds", "times", "wrongs")

    def __init__(self) -> None:
        self.kinds = [0] * len(KINDS)
        self.times = Histogram()
        #: (kind, text) -> how many.
        self.wrongs: dict[tuple[int, str], int] = {}

    @property
    def calls(self) -> int:
        return sum(self.kinds)

    @property
    def errors(self) -> int:
        """Calls without a result or an exception that the IDL declares."""
        return self.kinds[REFUSED] + self.kinds[UNANSWERED]

    def wrong(self, kind: int, text: str, count: int = 1) -> None:
        """What is to be told of calls of this kind; they are counted apart from it."""
        key = (kind, text[:_LENGTH])
        if key not in self.wrongs and sum(each == kind for each, _ in self.wrongs) >= TEXTS:
            key = (kind, OTHERS)
        self.wrongs[key] = self.wrongs.get(key, 0) + count

    def add(self, other: Tally) -> None:
        self.kinds = [one + more for one, more in zip(self.kinds, other.kinds, strict=True)]
        self.times.add(other.times)
        for (kind, text), count in other.wrongs.items():
            self.wrong(kind, text, count)

    def plain(self) -> dict[str, Any]:
        """As JSON data, from which ``of`` makes it again."""
        wrongs = [
            {"outcome": KINDS[kind], "text": text, "calls": count}
            for (kind, text), count in sorted(self.wrongs.items(), key=lambda item: -item[1])
        ]
        return {
            "outcomes": dict(zip(KINDS, self.kinds, strict=True)),
            "histogram": self.times.plain(),
            "errors": wrongs,
        }

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Tally:
        """Raises ValueError, KeyError, TypeError or AttributeError for what is none."""
        made = cls()
        made.kinds = [int(data["outcomes"][kind]) for kind in KINDS]
        made.times = Histogram.of(data["histogram"])
        for each in data["errors"]:
            made.wrong(KINDS.index(each["outcome"]), str(each["text"]), int(each["calls"]))
        return made
