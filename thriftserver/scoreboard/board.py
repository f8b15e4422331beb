"""The whole scoreboard: made by the master, written by workers (``slot``), read by anybody who has the descriptor.

Reading asks nobody and blocks nobody, so it works while every worker is stuck. The memory is a sparse file without a
name: pages that nobody writes cost nothing, and a process that inherits the descriptor can map it again.
"""

from __future__ import annotations

import json
import mmap
import os
import time
from collections.abc import Iterator, Sequence

import msgspec

from thriftserver.scoreboard import layout, ring
from thriftserver.scoreboard.layout import COUNTERS, OUTCOMES, Layout

#: Calls in flight that are named one by one, per worker; more are served, but not seen.
CALLS = 1024
#: Seconds without a heartbeat after which a worker that serves is called stuck.
STUCK_AFTER = 3.0
_ALIVE = (layout.STATES[layout.SERVING], layout.STATES[layout.DRAINING])
#: Stands for the declared exceptions, or the methods, that there is no counter for.
OTHER = "(other)"


class MethodStats(msgspec.Struct):
    """What is counted of one method. Durations are nanoseconds, from a frame's arrival to its reply."""

    service: str
    name: str
    outcomes: dict[str, int]
    declared: dict[str, int]
    """By the name of the declared exception."""
    duration: int = 0
    queued: int = 0
    request_bytes: int = 0
    reply_bytes: int = 0
    histogram: list[int] = []
    """Calls by ``layout.bucket`` of their duration."""

    @property
    def calls(self) -> int:
        return sum(self.outcomes.values())

    def add(self, other: MethodStats) -> None:
        """Take in the numbers of the same method of another worker."""
        for name, count in other.outcomes.items():
            self.outcomes[name] = self.outcomes.get(name, 0) + count
        for name, count in other.declared.items():
            self.declared[name] = self.declared.get(name, 0) + count
        self.duration += other.duration
        self.queued += other.queued
        self.request_bytes += other.request_bytes
        self.reply_bytes += other.reply_bytes
        self.histogram = [a + b for a, b in zip(self.histogram, other.histogram, strict=True)]


class CallInFlight(msgspec.Struct):
    """A call that was not answered when the slot was read. ``age`` is seconds since its frame arrived."""

    service: str
    method: str
    seqid: int
    peer: str
    bytes: int
    age: float


class RecentError(msgspec.Struct):
    """A call that went wrong, as its worker noted it. ``when`` is monotonic nanoseconds."""

    service: str
    method: str
    outcome: str
    error_id: str
    text: str
    when: int


class WorkerView(msgspec.Struct):
    """One slot at one moment. Times are monotonic nanoseconds."""

    number: int
    pid: int
    generation: int
    state: str
    born: int
    heartbeat: int
    connections: int
    inflight: int
    queued: int
    threads: int
    room: int
    """Connections that it holds at most; 0 while that is not known."""
    counters: dict[str, int]
    queue: list[int]
    """Calls by ``layout.bucket`` of the time they waited."""
    methods: list[MethodStats]
    calls: list[CallInFlight] = []
    errors: list[RecentError] = []
    """The newest last."""

    def silence(self, now: int) -> float:
        """Seconds since the last heartbeat."""
        return max(now - self.heartbeat, 0) / 1e9

    def stuck(self, now: int) -> bool:
        """It should serve, and gives no sign of life."""
        return self.state in _ALIVE and self.silence(now) > STUCK_AFTER

    @property
    def full(self) -> bool:
        """It takes no more connections; new ones wait in the backlog."""
        return 0 < self.room <= self.connections


class Board:
    """``Board.create`` in the master; ``Board.attach`` with a descriptor that was inherited or passed on."""

    def __init__(self, descriptor: int, plan: Layout, wall: int) -> None:
        self.descriptor = descriptor
        self.plan = plan
        #: What to add to monotonic nanoseconds for those since 1970.
        self.wall = wall
        self._map = mmap.mmap(descriptor, plan.total_words * layout.WORD)
        self.words = memoryview(self._map).cast("Q")

    @classmethod
    def create(cls, slots: int, methods: int) -> Board:
        """An empty board of ``slots`` workers, each with room for ``methods`` methods."""
        plan = Layout(slots + 1, CALLS, methods)
        descriptor = os.memfd_create("thriftserver-scoreboard", os.MFD_CLOEXEC)
        os.ftruncate(descriptor, plan.total_words * layout.WORD)
        board = cls(descriptor, plan, time.time_ns() - time.monotonic_ns())
        header = (layout.MAGIC, plan.slots, plan.calls, plan.methods, 0, board.wall, time.monotonic_ns())
        for word, value in enumerate(header):
            board.words[word] = value
        return board

    @classmethod
    def attach(cls, descriptor: int) -> Board:
        """The board behind a descriptor. Raises ValueError if it is something else."""
        header = memoryview(os.pread(descriptor, layout.PAGE * layout.WORD, 0))
        if len(header) < layout.PAGE * layout.WORD or (words := header.cast("Q"))[0] != layout.MAGIC:
            raise ValueError("the descriptor is no scoreboard of this version")
        plan = Layout(words[layout.BOARD_SLOTS], words[layout.BOARD_CALLS], words[layout.BOARD_METHODS])
        return cls(descriptor, plan, words[layout.BOARD_WALL])

    @property
    def capacity(self) -> int:
        """Workers there is room for; they are numbered from 1."""
        return self.plan.slots - 1

    @property
    def born(self) -> int:
        """Monotonic nanoseconds of the server's start."""
        return self.words[layout.BOARD_BORN]

    @property
    def wanted(self) -> int:
        """Workers that should serve now; 0 while the service rests. Written by the master, after each decision."""
        return self.words[layout.BOARD_WANTED]

    @wanted.setter
    def wanted(self, number: int) -> None:
        self.words[layout.BOARD_WANTED] = number

    @property
    def other(self) -> int:
        """The pid of another master whose workers would take over this one's connections; 0: there is none."""
        return self.words[layout.BOARD_OTHER]

    @other.setter
    def other(self, pid: int) -> None:
        self.words[layout.BOARD_OTHER] = pid

    @property
    def exits(self) -> int:
        """Workers that have ended: each was folded once."""
        return self.words[layout.BOARD_FOLDS] // 2

    @property
    def reasons(self) -> dict[str, int]:
        """How many workers have ended for each of ``layout.EXITS``."""
        return {name: self.words[layout.BOARD_EXITS + place] for place, name in enumerate(layout.EXITS)}

    def slot_words(self, number: int) -> memoryview:
        """The part of the memory that is a worker's own."""
        start = self.plan.slot(number)
        return self.words[start : start + self.plan.slot_words]

    # Reading.

    def workers(self) -> list[WorkerView]:
        """Every worker that has accounts here, the living and those not folded yet."""
        return [view for view in map(self.worker, range(1, self.plan.slots)) if view is not None]

    def worker(self, number: int) -> WorkerView | None:
        """One slot, or None when nobody uses it."""
        return self._view(number) if self.slot_words(number)[layout.STATE] != layout.EMPTY else None

    def snapshot(self) -> tuple[list[WorkerView], WorkerView]:
        """The workers, and the ledger of those before them, from one moment: no dead worker in both or in neither."""
        while True:
            before = self.words[layout.BOARD_FOLDS]
            try:
                found = self.workers(), self._view(0)
            except ValueError:  # names that were wiped while they were read
                if self.words[layout.BOARD_FOLDS] == before:
                    raise
                continue
            if not before % 2 and self.words[layout.BOARD_FOLDS] == before:
                return found

    def calls(self, number: int) -> list[CallInFlight]:
        """The calls that a worker has in flight, the oldest first."""
        words = self.slot_words(number)
        return list(self._calls(words, self._names(words)))

    def _view(self, number: int) -> WorkerView:
        words = self.slot_words(number)
        names = self._names(words)
        return WorkerView(
            number,
            words[layout.PID],
            words[layout.GENERATION],
            layout.STATES[words[layout.STATE]],
            words[layout.BORN],
            words[layout.HEARTBEAT],
            words[layout.CONNECTIONS],
            words[layout.INFLIGHT],
            words[layout.QUEUED],
            words[layout.THREADS],
            words[layout.ROOM],
            {name: words[word] for name, word in layout.COUNTER.items()},
            list(words[self.plan.queue : self.plan.queue + layout.BUCKETS]),
            [self._method(words, place, name) for place, name in enumerate(names)],
            list(self._calls(words, names)),
            list(self._errors(words, names)),
        )

    def _names(self, words: memoryview) -> list[tuple[str, str, list[str]]]:
        size = words[layout.NAMES]
        start = self.plan.names * layout.WORD
        return json.loads(bytes(words.cast("B")[start : start + size])) if size else []

    def _method(self, words: memoryview, place: int, name: tuple[str, str, Sequence[str]]) -> MethodStats:
        service, method, kinds = name
        at = self.plan.first_method + place * layout.PAGE
        first = at + layout.HISTOGRAM
        return MethodStats(
            service,
            method,
            {outcome: words[at + index] for index, outcome in enumerate(OUTCOMES)},
            {kind: words[at + layout.DECLARED_BY + index] for index, kind in enumerate(_counted(kinds))},
            words[at + layout.DURATION_SUM],
            words[at + layout.QUEUE_SUM],
            words[at + layout.REQUEST_BYTES],
            words[at + layout.REPLY_BYTES],
            list(words[first : first + layout.BUCKETS]),
        )

    def _calls(self, words: memoryview, names: Sequence[tuple[str, str, Sequence[str]]]) -> Iterator[CallInFlight]:
        now = time.monotonic_ns()
        found = []
        for record in range(self.plan.calls):
            at = self.plan.first_call + record * layout.CALL
            if words[at + layout.CALL_STARTED]:
                peer = words[at + layout.CALL_PEER : at + layout.CALL].tobytes().rstrip(b"\0")
                found.append((words[at + layout.CALL_RECEIVED], list(words[at : at + layout.CALL_PEER]), peer))
        for received, call, peer in sorted(found):
            place = call[layout.CALL_METHOD]
            service, method = names[place][:2] if place < len(names) else ("", "")
            seqid = call[layout.CALL_SEQID]
            yield CallInFlight(
                service,
                method,
                seqid - (1 << 32) if seqid >> 31 else seqid,
                peer.decode("utf-8", "replace"),
                call[layout.CALL_BYTES],
                max(now - received, 0) / 1e9,
            )

    def _errors(self, words: memoryview, names: Sequence[tuple[str, str, Sequence[str]]]) -> Iterator[RecentError]:
        for noted in sorted(ring.read(words, self.plan)):
            service, method = names[noted.method][:2] if noted.method < len(names) else ("", "")
            yield RecentError(service, method, OUTCOMES[noted.outcome], noted.error_id, noted.text, noted.when)

    # Keeping what dead workers have counted. Only the master calls these.

    def fold(self, number: int, reason: str = "") -> None:
        """Move a dead worker's numbers into the ledger and leave its slot empty.

        With ``reason``, one of EXITS, it is counted as such, and what it had in its hands as lost.
        """
        view = self._view(number)
        self.words[layout.BOARD_FOLDS] += 1
        if reason:
            self.words[layout.BOARD_EXITS + layout.EXITS.index(reason)] += 1
            self.words[layout.BOARD_LOST_CONNECTIONS] += view.connections
            _take_along(view)
        if view.state != layout.STATES[layout.EMPTY]:
            self._into_ledger(view)
        self._wipe(number)
        self.words[layout.BOARD_FOLDS] += 1

    def _into_ledger(self, view: WorkerView) -> None:
        words = self.slot_words(0)
        for name in COUNTERS:
            words[layout.COUNTER[name]] += view.counters[name]
        for place, count in enumerate(view.queue):
            words[self.plan.queue + place] += count
        known = self._names(words)
        places = {(service, name): place for place, (service, name, _) in enumerate(known)}
        for stats in view.methods:
            key = (stats.service, stats.name)
            if key not in places:
                places[key] = len(known)
                known.append((stats.service, stats.name, []))
            place = min(places[key], self.plan.methods - 1)
            kinds = known[place][2]
            kinds += [kind for kind in stats.declared if kind not in kinds and kind != OTHER]
            self._add(words, place, stats, _counted(kinds))
        for error in view.errors:
            place = places.get((error.service, error.method), self.plan.methods)
            noted = ring.Noted(error.when, place, OUTCOMES.index(error.outcome), error.error_id, error.text)
            ring.note(words, self.plan, noted)
        data = json.dumps(known[: self.plan.methods]).encode()[: self.plan.name_bytes]
        start = self.plan.names * layout.WORD
        words.cast("B")[start : start + len(data)] = data
        words[layout.NAMES] = len(data)
        words[layout.METHODS] = min(len(known), self.plan.methods)

    def _add(self, words: memoryview, place: int, stats: MethodStats, kinds: list[str]) -> None:
        at = self.plan.first_method + place * layout.PAGE
        for index, outcome in enumerate(OUTCOMES):
            words[at + index] += stats.outcomes[outcome]
        for kind, count in stats.declared.items():
            index = kinds.index(kind) if kind in kinds else layout.DECLARED_KINDS - 1
            words[at + layout.DECLARED_BY + index] += count
        words[at + layout.DURATION_SUM] += stats.duration
        words[at + layout.QUEUE_SUM] += stats.queued
        words[at + layout.REQUEST_BYTES] += stats.request_bytes
        words[at + layout.REPLY_BYTES] += stats.reply_bytes
        for index, count in enumerate(stats.histogram):
            if count:
                words[at + layout.HISTOGRAM + index] += count

    def _wipe(self, number: int) -> None:
        """Zero a slot by giving its memory back: the file becomes sparse there again."""
        start, size = self.plan.slot(number) * layout.WORD, self.plan.slot_words * layout.WORD
        try:
            self._map.madvise(mmap.MADV_REMOVE, start, size)
        except OSError:  # pages larger than ours
            self._map[start : start + size] = bytes(size)


def _take_along(view: WorkerView) -> None:
    """Count the calls that died with their worker: how they ended is known now, and how long they took."""
    methods = {(stats.service, stats.name): stats for stats in view.methods}
    for call in view.calls:
        stats = methods.get((call.service, call.method))
        if stats is not None:
            stats.outcomes[OUTCOMES[layout.LOST]] += 1
            stats.duration += int(call.age * 1e9)
            stats.histogram[layout.bucket(int(call.age * 1e9))] += 1
            view.counters["calls"] += 1


def _counted(kinds: Sequence[str]) -> list[str]:
    """Declared exceptions by the index of their counter: the last one stands for all that follow it."""
    return list(kinds) if len(kinds) <= layout.DECLARED_KINDS else [*kinds[: layout.DECLARED_KINDS - 1], OTHER]


def percentile(histogram: Sequence[int], fraction: float) -> float:
    """The duration in seconds below which ``fraction`` of the calls lie, at most 3.2 % off; 0 without calls.

    The middle of its bucket: taking it from the rank inside the bucket would be better for some distributions, and for
    calls that all last equally long twice as bad.
    """
    rank = fraction * sum(histogram)
    seen = 0
    for place, count in enumerate(histogram):
        seen += count
        if count and seen >= rank:
            return (layout.edge(place) + layout.edge(place + 1)) / 2e9
    return 0.0


def totals(views: Sequence[WorkerView]) -> dict[tuple[str, str], MethodStats]:
    """The methods of several workers added up, by (service, name)."""
    found: dict[tuple[str, str], MethodStats] = {}
    for view in views:
        for stats in view.methods:
            key = (stats.service, stats.name)
            if key in found:
                found[key].add(stats)
            else:
                found[key] = msgspec.structs.replace(
                    stats, outcomes=dict(stats.outcomes), declared=dict(stats.declared)
                )
    return found
