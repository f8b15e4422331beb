"""Recorded calls made again: at their own pace or faster, on several connections, each answer held against the old one.

Calls of one client stay in their order, on one connection; those of different clients run beside each other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from queue import Queue
from threading import Lock, Thread
from typing import Any, NamedTuple

from thriftserver.capture.differences import Difference, Ignored, differences
from thriftserver.capture.reading import answer, answer_in, header_of
from thriftserver.capture.records import Heard, Schema
from thriftserver.capture.schemas import Schemas
from thriftserver.capture.speaking import Place, Speaker, spoken_in
from thriftserver.errors import ThriftServerError, TransportError

#: Calls that are read in advance for a connection.
AHEAD = 1000
#: What can become of a call: the same answer, another one, none, or none to compare it with; it was not sent because
#: its arguments are not in the file, or cannot be read.
SAME, DIFFERENT, UNANSWERED, UNCOMPARED, UNSENT = "same", "different", "unanswered", "uncompared", "unsent"
KINDS = (SAME, DIFFERENT, UNANSWERED, UNCOMPARED, UNSENT)


class Outcome(NamedTuple):
    """What became of a call: one of ``KINDS``. ``text`` is what was wrong; ``late`` how many seconds after its time it
    was made, because the ones before it took longer than they had."""

    kind: str
    call: Heard
    differences: tuple[Difference, ...] = ()
    text: str = ""
    late: float = 0.0


#: Hears of each call, one at a time, from any thread.
Hear = Callable[[Outcome], object]


class Replay:
    """Calls to a ``place`` on so many ``connections``; ``speed`` is how much faster than they were made, 0: at once.

    ``schemas`` are what they are read with, and learn what comes.
    """

    def __init__(
        self, place: Place, connections: int, speed: float, ignored: Ignored, schemas: Schemas, hear: Hear
    ) -> None:
        self._place = place
        self._speed = speed
        self._ignored = ignored
        self._schemas = schemas
        self._hear = hear
        self._lock = Lock()
        self._queues: list[Queue[Heard | None]] = [Queue(AHEAD) for _ in range(connections)]
        self._clients: dict[str, int] = {}
        self._first = 0
        self._begun = 0.0
        self._failed: BaseException | None = None

    def run(self, records: Iterable[Schema | Heard]) -> None:
        """Make all of the calls. Raises what ``records`` and ``hear`` raise."""
        threads = [Thread(target=self._serve, args=(queue,), daemon=True) for queue in self._queues]
        self._begun = time.monotonic()
        for thread in threads:
            thread.start()
        try:
            for record in records:
                if isinstance(record, Schema):
                    self._schemas.learn(record)
                else:
                    self._first = self._first or record.at
                    self._of(record).put(record)
                if self._failed is not None:
                    break
        finally:
            for queue in self._queues:
                queue.put(None)
        for thread in threads:
            thread.join()
        if self._failed is not None:
            raise self._failed

    def _of(self, call: Heard) -> Queue[Heard | None]:
        """The connection of this client: each new client gets the next one."""
        number = self._clients.setdefault(call.peer, len(self._clients))
        return self._queues[number % len(self._queues)]

    def _serve(self, queue: Queue[Heard | None]) -> None:
        speakers: dict[str, Speaker] = {}
        while (call := queue.get()) is not None:
            if self._failed is not None:
                continue
            try:
                outcome = self._make(call, speakers)
                with self._lock:
                    self._hear(outcome)
            except BaseException as error:  # noqa: BLE001 - raised again where it is waited for
                self._failed = error
        for speaker in speakers.values():
            speaker.close()

    def _make(self, call: Heard, speakers: dict[str, Speaker]) -> Outcome:
        if not call.request:
            return Outcome(UNSENT, call, text="its arguments hold what must not be shown, and are not in the file")
        late = self._wait(call)
        try:
            header = header_of(call.protocol, call.request)
            dialect = spoken_in(call.dialect, call.protocol)
            if dialect not in speakers:
                speakers[dialect] = Speaker(self._place, dialect)
        except (ThriftServerError, KeyError) as error:
            return Outcome(UNSENT, call, text=f"it cannot be read: {error}")
        try:
            reply = speakers[dialect].ask(header, call.request, call.headers)
        except (TransportError, ThriftServerError) as error:
            return Outcome(UNANSWERED, call, text=str(error), late=late)
        return self._compared(call, reply)._replace(late=late)

    def _wait(self, call: Heard) -> float:
        """Wait for its time; the seconds by which that is over."""
        if not self._speed:
            return 0.0
        due = self._begun + (call.at - self._first) / 1e9 / self._speed
        now = time.monotonic()
        if due > now:
            time.sleep(due - now)
        return max(now - due, 0.0)

    def _compared(self, call: Heard, reply: Any) -> Outcome:
        if reply is None:
            return Outcome(SAME, call)
        function = self._schemas.function(call)
        if function is None or not (call.reply or call.answer):
            return Outcome(UNCOMPARED, call, text="the file has no answer to compare it with")
        try:
            old = call.answer or answer(function, call.protocol, call.reply)
            new = answer_in(function, reply)
        except (ThriftServerError, KeyError) as error:
            return Outcome(UNCOMPARED, call, text=f"an answer cannot be read: {error}")
        name = f"{call.service}.{call.method}"
        found = [
            each
            for each in differences(old, new)
            if not (self._ignored(name, each.path) or self._ignored(call.method, each.path))
        ]
        return Outcome(DIFFERENT if found else SAME, call, tuple(found))
