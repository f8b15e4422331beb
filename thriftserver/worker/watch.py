"""Notices that the loop does not go round, and says which method keeps it: from a thread, which still runs then."""

from __future__ import annotations

import sys
from time import monotonic_ns, process_time_ns
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

from gevent.monkey import get_original

from thriftserver.log import Logger
from thriftserver.rpc.method import Method
from thriftserver.scoreboard import layout
from thriftserver.worker.stacks import text_of

if TYPE_CHECKING:
    from thriftserver.scoreboard.slot import Slot

#: Seconds without a heartbeat after which a loop counts as blocked, and how often to look.
BLOCKED, PERIOD = 1.0, 0.25


class Watch:
    """Logs ``loop_blocked`` once for each time the loop stands still: the method, for how long, and the stack."""

    def __init__(self, slot: Slot, methods: list[Method], log: Logger, beat: float) -> None:
        self._slot = slot
        self._codes = dict(filter(None, map(_code, methods)))
        self._log = log
        self._limit = int((BLOCKED + beat) * 1e9)
        self._thread = get_original("threading", "get_ident")()

    def start(self) -> None:
        get_original("_thread", "start_new_thread")(self._run, ())

    def _run(self) -> None:
        sleep = get_original("time", "sleep")
        told = 0
        while True:
            began, spent = monotonic_ns(), process_time_ns()
            sleep(PERIOD)
            now = monotonic_ns()
            # Stopped or frozen as a whole, by a signal or a container's pause: no code of ours is to blame.
            frozen = now - began > self._limit and process_time_ns() - spent < (now - began) / 4
            last = self._slot.view[layout.HEARTBEAT]
            late = now - last > self._limit and self._slot.view[layout.STATE] == layout.SERVING
            if late and last != told and not frozen:
                told = last
                self._tell((now - last) / 1e9)

    def _tell(self, seconds: float) -> None:
        frame = sys._current_frames().get(self._thread)
        self._slot.view[layout.COUNTER["loop_blocked"]] += 1  # the loop, which else writes here, stands still
        self._log.warning(
            "loop_blocked",
            method=self._method(frame),
            seconds=round(seconds, 3),
            advice="mark the method @thriftserver.blocking, so that it runs on a thread",
            stack=text_of(frame),
        )

    def _method(self, frame: FrameType | None) -> str | None:
        """The outermost function of a handler on the stack, as ``Service.method``."""
        found = None
        while frame is not None:
            found = self._codes.get(frame.f_code, found)
            frame = frame.f_back
        return found


def _code(method: Method) -> tuple[CodeType, str] | None:
    function: Any = method.target
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return (code, f"{method.service}.{method.name}") if isinstance(code, CodeType) else None
