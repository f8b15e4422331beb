"""The whole scoreboard: made by the master, written by workers (``slot``), read by anybody who has the descriptor.

Reading asks nobody and blocks nobody, so it works while every worker is stuck. The memory is a sparse file without a
name: pages that nobody writes cost nothing, and a process that inherits the descriptor can map it again.

A worker runs foreign code, which can write anything anywhere in this memory. So its size is sealed, and every word is
read as a stranger's: any of them may be wrong, none may break who reads.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Iterator, Sequence

import msgspec

from thriftserver.scoreboard import layout, ring
from thriftserver.scoreboard.layout import COUNTERS, OUTCOMES, Layout
from thriftserver.scoreboard.records import CallInFlight, MethodStats, RecentError, TlsView, WorkerView
from thriftserver.sealed import sealed
from thriftserver.wire import DIALECTS

#: Calls in flight that are named one by one, per worker; more are served, but not seen.
CALLS = 1024
#: Stands for the declared exceptions, or the methods, that there is no counter for.
OTHER = "(other)"
#: Readings until two of them agree, while dead workers are folded. Each fold is over in a moment.
ATTEMPTS = 20

#: What a method is called in the memory: service, name, and the exceptions it declares.
Names = list[tuple[str, str, list[str]]]
_NAMES = msgspec.json.Decoder(Names)
_WORD = (1 << 64) - 1


class Board:
    """``Board.create`` in the master; ``Board.attach`` with a descriptor that was inherited or passed on."""

    def __init__(self, descriptor: int, plan: Layout, wall: int) -> None:
        self.descriptor = descriptor
        self.plan = plan
        #: What to add to monotonic nanoseconds for those since 1970.
        self.wall = wall
        self._folds = 0
        """Workers folded by this process: what the memory says about it may be anybody's."""
        self._map = mmap.mmap(descriptor, plan.total_words * layout.WORD)
        self.words = memoryview(self._map).cast("Q")

    @classmethod
    def create(cls, slots: int, methods: int) -> Board:
        """An empty board of ``slots`` workers, each with room for ``methods`` methods."""
        plan = Layout(slots + 1, CALLS, methods)
        descriptor = sealed("thriftserver-scoreboard", plan.total_words * layout.WORD)
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
    def trial_due(self) -> float:
        """When a trial is over, in monotonic seconds; 0: none is under way. Written by the master."""
        return self.words[layout.BOARD_TRIAL] / 1e9

    @trial_due.setter
    def trial_due(self, when: float) -> None:
        self.words[layout.BOARD_TRIAL] = int(when * 1e9)

    @property
    def rollbacks(self) -> int:
        return self.words[layout.BOARD_ROLLBACKS]

    def count_rollback(self) -> None:
        _count(self.words, layout.BOARD_ROLLBACKS, 1)

    @property
    def exits(self) -> int:
        """Workers that have ended: each was folded once."""
        return self.words[layout.BOARD_FOLDS] // 2

    @property
    def reasons(self) -> dict[str, int]:
        """How many workers have ended for each of ``layout.EXITS``."""
        return {name: self.words[layout.BOARD_EXITS + place] for place, name in enumerate(layout.EXITS)}

    @property
    def tls(self) -> TlsView:
        first = layout.BOARD_TLS_REFUSED
        return TlsView(
            self.words[layout.BOARD_TLS_CONNECTIONS],
            self.words[layout.BOARD_TLS_HANDSHAKES],
            self.words[layout.BOARD_TLS_AGREED],
            self.words[layout.BOARD_TLS_RESUMED],
            self.words[layout.BOARD_TLS_EXPIRY],
            {name: self.words[first + place] for place, name in enumerate(layout.TLS_REFUSALS)},
        )

    @property
    def registry(self) -> dict[str, int]:
        """What the registrar has noted: registries that are ``wanted``, and have the server; and its counters."""
        names = ("wanted", "registered", "registrations", "losses")
        return {name: self.words[layout.BOARD_REGISTRIES + place] for place, name in enumerate(names)}

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
        for _ in range(ATTEMPTS):  # and not for ever: anybody may have written the number
            before = self.words[layout.BOARD_FOLDS]
            found = self.workers(), self._view(0)
            if not before % 2 and self.words[layout.BOARD_FOLDS] == before:
                break
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
            layout.STATES[min(words[layout.STATE], layout.GONE)],
            words[layout.BORN],
            words[layout.HEARTBEAT],
            words[layout.CONNECTIONS],
            words[layout.INFLIGHT],
            words[layout.QUEUED],
            words[layout.THREADS],
            words[layout.ROOM],
            {name: words[layout.DIALECT + number] for number, name in enumerate(DIALECTS)},
            {name: words[word] for name, word in layout.COUNTER.items()},
            list(words[self.plan.queue : self.plan.queue + layout.BUCKETS]),
            [self._method(words, place, name) for place, name in enumerate(names)],
            list(self._calls(words, names)),
            list(self._errors(words, names)),
        )

    def _names(self, words: memoryview) -> Names:
        size = min(words[layout.NAMES], self.plan.name_bytes)
        start = self.plan.names * layout.WORD
        try:
            names = _NAMES.decode(bytes(words.cast("B")[start : start + size])) if size else []
        except (msgspec.MsgspecError, ValueError, RecursionError):  # wiped while they were read, or no worker's names
            names = []
        return names[: self.plan.methods]

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
            seqid = call[layout.CALL_SEQID] & 0xFFFFFFFF
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
        self.words[layout.BOARD_FOLDS] = 2 * self._folds + 1
        if reason:
            _count(self.words, layout.BOARD_EXITS + layout.EXITS.index(reason), 1)
            _count(self.words, layout.BOARD_LOST_CONNECTIONS, view.connections)
            _take_along(view)
        if view.state != layout.STATES[layout.EMPTY]:
            self._into_ledger(view)
        self._wipe(number)
        self._folds += 1
        self.words[layout.BOARD_FOLDS] = 2 * self._folds

    def _into_ledger(self, view: WorkerView) -> None:
        words = self.slot_words(0)
        for name in COUNTERS:
            _count(words, layout.COUNTER[name], view.counters[name])
        for place, count in enumerate(view.queue):
            _count(words, self.plan.queue + place, count)
        known = self._learn(words, view.methods)
        places = {(service, name): place for place, (service, name, _) in enumerate(known)}
        for stats in view.methods if known else ():
            place = places.get((stats.service, stats.name), len(known) - 1)
            self._add(words, place, stats, _counted(known[place][2]))
        for error in view.errors:
            place = places.get((error.service, error.method), self.plan.methods)
            noted = ring.Noted(error.when, place, OUTCOMES.index(error.outcome), error.error_id, error.text)
            ring.note(words, self.plan, noted)

    def _learn(self, words: memoryview, methods: Sequence[MethodStats]) -> Names:
        """The ledger's methods, those of a dead worker among them. Without room, the last one stands for the others."""
        known = {(service, name): kinds for service, name, kinds in self._names(words)}
        before: Names = [(service, name, list(kinds)) for (service, name), kinds in known.items()]
        for stats in methods:
            kinds = known.setdefault((stats.service, stats.name), [])
            kinds += [kind for kind in stats.declared if kind not in kinds and kind != OTHER]
        grown: Names = [(service, name, kinds) for (service, name), kinds in known.items()][: self.plan.methods]
        data = msgspec.json.encode(grown)
        if len(data) > self.plan.name_bytes:  # names that somebody makes up, for ever new ones
            grown = before
            data = msgspec.json.encode(grown)
        start = self.plan.names * layout.WORD
        words.cast("B")[start : start + len(data)] = data
        words[layout.NAMES] = len(data)
        words[layout.METHODS] = len(grown)
        return grown

    def _add(self, words: memoryview, place: int, stats: MethodStats, kinds: list[str]) -> None:
        at = self.plan.first_method + place * layout.PAGE
        for index, outcome in enumerate(OUTCOMES):
            _count(words, at + index, stats.outcomes[outcome])
        for kind, count in stats.declared.items():
            index = kinds.index(kind) if kind in kinds else layout.DECLARED_KINDS - 1
            _count(words, at + layout.DECLARED_BY + index, count)
        _count(words, at + layout.DURATION_SUM, stats.duration)
        _count(words, at + layout.QUEUE_SUM, stats.queued)
        _count(words, at + layout.REQUEST_BYTES, stats.request_bytes)
        _count(words, at + layout.REPLY_BYTES, stats.reply_bytes)
        for index, count in enumerate(stats.histogram):
            if count:
                _count(words, at + layout.HISTOGRAM + index, count)

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


def _count(words: memoryview, at: int, count: int) -> None:
    """Add, and begin anew where a word ends: only numbers that somebody has made up are so large."""
    words[at] = words[at] + count & _WORD


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
