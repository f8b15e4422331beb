"""The newest errors of a slot: a ring of records that one process writes and others read without asking it.

Errors are rare, so this is plain Python in both builds of ``slot``. It knows no names: methods are numbers here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from thriftserver.scoreboard import layout
from thriftserver.scoreboard.layout import ERROR, ERROR_ID, ERROR_METHOD, ERROR_OUTCOME, ERROR_TEXT, RING, WORD


class Noted(NamedTuple):
    """One record. ``when`` is monotonic nanoseconds; ``outcome`` an index of ``layout.OUTCOMES``."""

    when: int
    method: int
    outcome: int
    error_id: str
    text: str


def note(words: memoryview, plan: layout.Layout, noted: Noted) -> None:
    """Write over the oldest record. Texts longer than their place are cut."""
    at = plan.errors + words[layout.ERRORS] % RING * ERROR
    words[at] = 0  # while it is written it is no record
    words[at + ERROR_METHOD] = noted.method
    words[at + ERROR_OUTCOME] = noted.outcome
    _put(words[at + ERROR_ID : at + ERROR_TEXT], noted.error_id)
    _put(words[at + ERROR_TEXT : at + ERROR], noted.text)
    words[at] = noted.when
    words[layout.ERRORS] = words[layout.ERRORS] + 1 & (1 << 64) - 1


def read(words: memoryview, plan: layout.Layout) -> Iterator[Noted]:
    """The records, in no order."""
    for record in range(min(words[layout.ERRORS], RING)):
        at = plan.errors + record * ERROR
        copy = words[at : at + ERROR].tobytes()
        when, method, outcome = memoryview(copy).cast("Q")[:ERROR_ID]
        if when and words[at] == when and outcome < len(layout.OUTCOMES):
            yield Noted(when, method, outcome, _get(copy, ERROR_ID, ERROR_TEXT), _get(copy, ERROR_TEXT, ERROR))


def _put(words: memoryview, text: str) -> None:
    data = text.encode("utf-8", "replace")[: words.nbytes]
    words.cast("B")[:] = data.ljust(words.nbytes, b"\0")


def _get(copy: bytes, start: int, end: int) -> str:
    return copy[start * WORD : end * WORD].rstrip(b"\0").decode("utf-8", "ignore")
