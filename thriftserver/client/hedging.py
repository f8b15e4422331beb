"""Second attempts of calls that take long: whichever is answered first counts, the other one is dropped.

Threads that have one lock between them, or greenlets. It knows no connections: attempts are run, aborted and told how
they have ended.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, Protocol


class Attempt(Protocol):
    """One attempt of a call."""

    def run(self) -> Any:
        """The answer; raises what there is instead."""

    def abort(self) -> None:
        """Have ``run`` fail, from another thread. It does not wait."""

    def dropped(self) -> None:
        """It began later than another one, which was answered first."""

    def outrun(self) -> None:
        """It began earlier than another one, which was answered first."""

    def ended(self, error: BaseException | None) -> None:
        """It has run to its end, with this error if there was one."""


class Race:
    """One call: a ``first`` attempt, made by whoever calls, and after a while a second one, made by another thread.

    ``second`` gives that, or None if there is to be none.
    """

    def __init__(self, first: Attempt, second: Callable[[], Attempt | None], due: float) -> None:
        #: When the second attempt is to begin; not at all once the race is ``over``.
        self.due = due
        self.over = False
        self._first = first
        self._make = second
        self._context = copy_context()
        #: Held for a moment, by whoever ends an attempt: only then is it known whose connection may be aborted.
        self._lock = threading.Lock()
        self._second: Attempt | None = None
        self._second_ended = threading.Event()
        self._second_dropped = False
        #: Was it the second attempt that was answered first?
        self.second_won = False
        self._answer: Any = None

    def run(self) -> Any:
        """Make the first attempt. The answer of either; or what the first one raises, if the second one has none.

        The first attempt is told if it was ``outrun``; if it has ``ended``, that is for who calls to say.
        """
        answer, failure = None, None
        try:
            answer = self._first.run()
        except BaseException as error:
            failure = error
            if not isinstance(error, Exception):  # nobody waits for an answer any more
                self._end(drop=True)
                raise
        second = self._end(drop=failure is None)
        if failure is not None and second is not None:
            self._second_ended.wait()
        if self.second_won:
            self._first.outrun()
            return self._answer
        if failure is None:
            return answer
        try:
            raise failure
        finally:
            del failure

    def begin_second(self) -> None:
        """Make the second attempt, unless the race is over."""
        self._context.run(self._run_second)

    def _end(self, drop: bool) -> Attempt | None:
        """The first attempt is over: the second one, if it is under way; it is aborted if it is to be dropped."""
        with self._lock:
            self.over = True
            second = self._second
            if second is not None and drop:
                self._second_dropped = True
                second.abort()
            return second

    def _run_second(self) -> None:
        with self._lock:
            second = None if self.over else self._make()
            if second is None:
                return
            self._second = second
        answer, failure = None, None
        try:
            answer = second.run()
        except BaseException as error:  # noqa: BLE001 - told below; this thread has no other caller
            failure = error
        with self._lock:
            self._second = None
            dropped = self._second_dropped
            if failure is None and not dropped:
                self.over = self.second_won = True
                self._answer = answer
                self._first.abort()
        self._second_ended.set()
        if dropped:
            second.dropped()
        else:
            second.ended(failure)


class Watch:
    """Begins second attempts when they are due, ``after`` so many seconds: one thread, while there are calls to watch.

    ``start`` runs something in a thread of its own.
    """

    def __init__(self, after: float, start: Callable[[Callable[[], None]], None]) -> None:
        self.after = after
        self._start = start
        self._races: deque[Race] = deque()
        self._lock = threading.Lock()
        self._running = False

    def watch(self, race: Race) -> None:
        self._races.append(race)
        if not self._running:
            with self._lock:
                begin, self._running = not self._running, True
            if begin:
                self._start(self._run)

    def _run(self) -> None:
        while True:
            try:
                race = self._races.popleft()
            except IndexError:
                time.sleep(self.after)  # a thread takes longer to start than many a call to be answered
                with self._lock:
                    if not self._races:
                        self._running = False
                        return
                continue
            wait = race.due - time.monotonic()
            if wait > 0 and not race.over:
                time.sleep(wait)
            if not race.over:
                self._start(race.begin_second)
