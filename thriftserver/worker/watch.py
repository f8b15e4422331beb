"""Notices that a loop does not go round, and says which method keeps it: from a thread, which still runs then."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from time import monotonic_ns, process_time_ns
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from gevent.monkey import get_original

from thriftserver.log import Logger
from thriftserver.rpc.method import Method
from thriftserver.scoreboard import layout
from thriftserver.worker.stacks import text_of, walk

if TYPE_CHECKING:
    from thriftserver.scoreboard.slot import Slot
    from thriftserver.worker.aio import Aio

#: Seconds without a heartbeat after which a loop counts as blocked, and how often to look.
BLOCKED, PERIOD = 1.0, 0.25


class Suspect:
    """A loop: what is said when it stands still, when it went round last (0: not yet), and what it is doing."""

    def __init__(
        self, event: str, advice: str, beaten: Callable[[], int], stack: Callable[[], list[FrameType]]
    ) -> None:
        self.event = event
        self.advice = advice
        self.beaten = beaten
        self.stack = stack
        self.told = 0


class Watch:
    """Logs ``loop_blocked``, or ``asyncio_blocked`` of the loop of coroutines, once for each time it stands still."""

    def __init__(self, slot: Slot, methods: list[Method], log: Logger, beat: float, aio: Aio) -> None:
        self._slot = slot
        self._codes = codes_of(methods)
        self._log = log
        self._limit = int((BLOCKED + beat) * 1e9)
        here = get_original("threading", "get_ident")()
        self._suspects = (
            Suspect(
                "loop_blocked",
                "mark the method @thriftserver.blocking, so that it runs on a thread",
                lambda: slot.view[layout.HEARTBEAT],
                lambda: walk(sys._current_frames().get(here)),
            ),
            Suspect(
                "asyncio_blocked",
                "await what waits, and asyncio.to_thread() what blocks or computes",
                lambda: aio.beaten,
                aio.running,
            ),
        )

    def start(self) -> None:
        get_original("_thread", "start_new_thread")(self._run, ())

    def _run(self) -> None:
        sleep = get_original("time", "sleep")
        while True:
            began, spent = monotonic_ns(), process_time_ns()
            sleep(PERIOD)
            now = monotonic_ns()
            # Stopped or frozen as a whole, by a signal or a container's pause: no code of ours is to blame.
            frozen = now - began > self._limit and process_time_ns() - spent < (now - began) / 4
            if frozen or self._slot.view[layout.STATE] != layout.SERVING:
                continue
            for suspect in self._suspects:
                last = suspect.beaten()
                if last and now - last > self._limit and last != suspect.told:
                    suspect.told = last
                    self._tell(suspect, (now - last) / 1e9)

    def _tell(self, suspect: Suspect, seconds: float) -> None:
        stack = suspect.stack()
        self._slot.view[layout.COUNTER["loop_blocked"]] += 1  # nobody else writes here
        self._log.warning(
            suspect.event,
            method=self._method(stack),
            seconds=round(seconds, 3),
            advice=suspect.advice,
            stack=text_of(stack),
        )

    def _method(self, stack: list[FrameType]) -> str | None:
        """The outermost function of a handler on the stack, as ``Service.method``."""
        return next((self._codes[each.f_code] for each in stack if each.f_code in self._codes), None)


def codes_of(methods: list[Method]) -> dict[CodeType, str]:
    """The code of handlers' functions, with their names as ``Service.method``."""
    return dict(filter(None, map(_code, methods)))


def _code(method: Method) -> tuple[CodeType, str] | None:
    function: Any = inspect.unwrap(method.target)
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return (code, f"{method.service}.{method.name}") if isinstance(code, CodeType) else None
