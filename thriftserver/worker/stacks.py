"""What the code of each call is doing, told in the log: of a slow call once and by itself, of all calls when asked.

It reads frames of fibers and of threads, and changes nothing about either.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Sequence
from itertools import dropwhile
from time import monotonic_ns
from types import FrameType
from typing import TYPE_CHECKING

from thriftserver.log import Logger
from thriftserver.rpc.observe import identity

if TYPE_CHECKING:
    from thriftserver.rpc.call import Call, Seat
    from thriftserver.worker.fibers import Fibers

#: The frames of a call whose code runs somewhere else than in its fiber, outermost first; None if it does not.
Elsewhere = Callable[["Call"], list[FrameType] | None]

#: Frames of a stack that are told: the innermost ones.
DEPTH = 30
#: Slow calls that are told of at one look; the next look tells of more. When a database is gone, all calls are slow.
AT_ONCE = 5

_HOUSE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


class Stacks:
    """Tells of calls in ``fibers`` and ``elsewhere``. A call is slow after ``slow`` seconds (0: never).

    ``look`` costs a call nothing: it goes through the fibers, now and then.
    """

    def __init__(self, fibers: Fibers, elsewhere: Sequence[Elsewhere], log: Logger, slow: float) -> None:
        self._fibers = fibers
        self._elsewhere = elsewhere
        self._log = log
        self._slow = int(slow * 1e9)
        self._told: set[Call] = set()

    def look(self, now: int) -> None:
        """Tell of calls that have been running for too long by now. To be called from the hub, as ``dump``."""
        if not self._slow:
            return
        running = [(seat.call, seat) for seat in self._fibers.seats if seat.call is not None]
        self._told.intersection_update(call for call, _ in running)
        late = [pair for pair in running if now - pair[0].started > self._slow and pair[0] not in self._told]
        for call, seat in sorted(late, key=lambda pair: pair[0].started)[:AT_ONCE]:
            self._told.add(call)
            self._tell("warning", "slow_call", call, seat)

    def dump(self, connections: int) -> None:
        """One line for each call that runs."""
        running = [(seat.call, seat) for seat in self._fibers.seats if seat.call is not None]
        self._log.info("stacks", calls=len(running), connections=connections)
        for call, seat in running:
            self._tell("info", "stack", call, seat)

    def _tell(self, level: str, event: str, call: Call, seat: Seat) -> None:
        age = round((monotonic_ns() - call.received) / 1e9, 3)
        found = next(filter(None, (look(call) for look in self._elsewhere)), None)
        stack = text_of(found or walk(seat.fiber.gr_frame))
        getattr(self._log, level)(event, **identity(call), age_s=age, stack=stack)


def walk(frame: FrameType | None) -> list[FrameType]:
    """The stack that a frame is on top of, outermost first."""
    return [each for each, _ in traceback.walk_stack(frame)][::-1] if frame is not None else []


def text_of(stack: list[FrameType]) -> str:
    """A stack, innermost frame last; it begins where ours has called the handler's code."""
    foreign = of_handlers(stack) or stack
    frames = ((frame, frame.f_lineno) for frame in foreign[-DEPTH:])
    return "".join(traceback.StackSummary.extract(frames).format())


def of_handlers(stack: list[FrameType]) -> list[FrameType]:
    """The part of a stack that ours has called; none where it has called nothing."""
    return list(dropwhile(is_ours, dropwhile(lambda each: not is_ours(each), stack)))


def is_ours(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_HOUSE)
