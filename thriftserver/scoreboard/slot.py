"""A worker's pen: it writes its own slot of the scoreboard, at each call, in a few nanoseconds when compiled.

One thread of one process writes a slot; whoever reads it (``board``) is never waited for. This one source runs on
plain CPython, and Cython compiles it, with ``_slot.pxd``, into the module ``_slot``.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from thriftserver.scoreboard import layout, ring

try:
    import cython  # type: ignore[import-untyped, import-not-found, unused-ignore]
except ImportError:  # needed to compile this file, not to run it
    from thriftserver import uncompiled as cython

if not cython.compiled:
    from thriftserver.scoreboard.memory import bits, publish, put_text, words_of

#: A sequence number as the board has it.
_UNSIGNED = 0xFFFFFFFF
_PAGE = layout.PAGE
_CALL = layout.CALL
_INFLIGHT = layout.INFLIGHT
_CALLS = layout.COUNTER["calls"]
_HISTOGRAM = layout.HISTOGRAM
_BUCKETS = layout.BUCKETS
_DECLARED = layout.DECLARED
_DECLARED_BY = layout.DECLARED_BY
_DECLARED_KINDS = layout.DECLARED_KINDS
_FINEST = layout.FINEST

#: What a method is called: service, name, and the names of the exceptions it declares.
MethodName = tuple[str, str, Sequence[str]]


class Slot:
    """``words`` is the slot's part of the mapping, as a memoryview of 64-bit words."""

    __slots__ = ("first_call", "first_method", "free", "limit", "plan", "queue", "view", "words")

    def __init__(self, words: Any, plan: layout.Layout) -> None:
        self.view = words
        self.words = words_of(words)
        self.plan = plan
        self.queue = plan.queue
        self.first_call = plan.first_call
        self.first_method = plan.first_method
        self.limit = plan.methods - 1
        self.free = list(range(plan.calls - 1, -1, -1))

    def open(self, pid: int, generation: int, methods: Sequence[MethodName], now: int) -> None:
        """Begin a worker's accounts, all zero; ``methods`` in the order of their numbers."""
        plan = self.plan
        named = list(methods)
        if len(named) > plan.methods:
            named[plan.methods - 1 :] = [("", "(other)", ())]
        data = json.dumps(named).encode()
        if len(data) > plan.name_bytes:  # names of hundreds of characters: better numbers without names than none
            data = json.dumps([["", f"#{number}", []] for number in range(len(named))]).encode()
        start = plan.names * layout.WORD
        self.view.cast("B")[start : start + len(data)] = data
        self.view[layout.NAMES] = len(data)
        self.view[layout.METHODS] = len(named)
        self.view[layout.PID] = pid
        self.view[layout.GENERATION] = generation
        self.view[layout.BORN] = now
        self.view[layout.HEARTBEAT] = now
        self.view[layout.STATE] = layout.BOOTING

    def put(self, word: int, value: int) -> None:
        """Set a gauge or another word of the header."""
        self.words[word] = value

    def add(self, word: int, count: int) -> None:
        """Add to a counter of the header."""
        self.words[word] += count

    def begin(self, method: int, seqid: int, size: int, received: int, started: int, peer: bytes) -> int:
        """Enter a call in flight, before its handler runs; the record's number, or -1 if there is no room.

        Times are monotonic nanoseconds; ``peer`` has exactly 64 bytes.
        """
        self.words[_INFLIGHT] += 1
        if not self.free:
            return -1
        record = self.free.pop()
        at = self.first_call + record * _CALL
        self.words[at + 1] = method
        self.words[at + 2] = seqid & _UNSIGNED
        self.words[at + 3] = size
        self.words[at + 4] = received
        put_text(self.words, at + 8, peer)
        publish(self.words, at, started)
        return record

    def end(self, record: int) -> None:
        """The call is over."""
        self.words[_INFLIGHT] -= 1
        if record >= 0:
            publish(self.words, self.first_call + record * _CALL, 0)
            self.free.append(record)

    def finish(
        self, method: int, outcome: int, kind: int, duration: int, queued: int, request: int, reply: int
    ) -> None:
        """Count a call by how it ended. ``kind`` is the index of a declared exception, -1 for other outcomes."""
        if method > self.limit:
            method = self.limit
        at = self.first_method + method * _PAGE
        words = self.words
        words[_CALLS] += 1
        words[at + outcome] += 1
        words[at + 12] += duration
        words[at + 13] += queued
        words[at + 14] += request
        words[at + 15] += reply
        if outcome == _DECLARED:
            words[at + _DECLARED_BY + min(kind, _DECLARED_KINDS - 1)] += 1
        words[at + _HISTOGRAM + self.place(duration)] += 1
        words[self.queue + self.place(queued)] += 1

    def note_error(self, method: int, outcome: int, error_id: str, text: str, now: int) -> None:
        """Keep an error among the newest, for people to find by its id. ``now`` is monotonic nanoseconds."""
        ring.note(self.view, self.plan, ring.Noted(now, method, outcome, error_id, text))

    def place(self, duration: int) -> int:
        """The bucket of ``layout.bucket``, which says how."""
        steps = duration >> _FINEST
        shift = bits(steps) - 5
        if shift < 0:
            shift = 0
        place = shift * 16 + (steps >> shift)
        return place if place < _BUCKETS else _BUCKETS - 1
