"""Where the CPU of this worker goes, by method and line: sampled when and while somebody asks.

The loop's thread is interrupted by the kernel for the CPU that is used (``errands.Ticks``), and looks at itself. At all
others a real thread looks. Each look weighs the stack of a thread with the CPU time that this thread has used since the
look before, so one that waits weighs nothing. What C code has used shows at the line that has called it.

The interpreter lets another thread look when it has run for a while, and whenever one waits; mostly just then. So
threads take turns more often while somebody looks, and what one is found to have used that waits is added to what it is
found at next.
"""

from __future__ import annotations

import dis
import os
import queue
import selectors
import sys
import threading
import time
from _socket import socket
from collections.abc import Callable, Collection
from contextlib import suppress
from functools import cache
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

import gevent
from gevent.monkey import get_original

from thriftserver.profiling.profile import OURS, OUTSIDE, Frame, Profile, Stack
from thriftserver.reflection.telling import SERVER
from thriftserver.worker.stacks import is_ours, of_handlers, walk

if TYPE_CHECKING:
    from thriftserver.rpc.call import Seat
    from thriftserver.worker.errands import Ticks

#: Frames of a stack that are kept, and different stacks.
DEPTH, STACKS = 200, 50_000
#: Seconds between two looks at whether somebody still waits for the profile.
LOOK = 0.5
#: Of the time between two samples, a part that is no use of the CPU but that of looking.
NOISE = 0.01

#: Seconds for which a thread has the interpreter while another one wants it; 5 ms is Python's own.
TURN = 50e-6
#: Where threads wait: those of the standard library's files and packages in which they do.
_WAITS = tuple(
    os.path.join(os.path.dirname(os.path.abspath(module.__file__ or "")), name)
    for module, name in ((selectors, "selectors.py"), (threading, "threading.py"), (queue, "queue.py"), (gevent, ""))
)

_get_ident = get_original("threading", "get_ident")


class Profiler:
    """Does the errand ``profile``. ``codes`` are handlers' functions with their names, ``seats`` where calls run.

    ``main`` is the thread of the loop.
    """

    def __init__(
        self, codes: dict[CodeType, str], seats: Callable[[], Collection[Seat]], main: int, ticks: Ticks
    ) -> None:
        self._codes = codes
        self._seats = seats
        self._main = main
        self._ticks = ticks
        self._alone = get_original("_thread", "allocate_lock")()

    def task(self, asked: dict[str, Any], sock: socket) -> None:
        """Begin, in a thread of its own: to be written to ``sock`` when it is done.

        One at a time: others get nothing.
        """
        seconds, rate = float(asked["seconds"]), float(asked["rate"])
        get_original("_thread", "start_new_thread")(self._run, (seconds, rate, sock))

    def _run(self, seconds: float, rate: float, sock: socket) -> None:
        if self._alone.acquire(False):
            turn = sys.getswitchinterval()
            sys.setswitchinterval(TURN)
            try:
                profile = self._sampled(seconds, rate, sock)
            finally:
                self._ticks.stop()
                sys.setswitchinterval(turn)
                self._alone.release()
            with suppress(OSError):  # nobody waits for it any more
                sock.setblocking(True)
                sock.sendall(b"" if profile is None else profile.written())
        sock.close()

    def _sampled(self, seconds: float, rate: float, sock: socket) -> Profile | None:
        """None if whoever wanted it is gone."""
        sleep = get_original("time", "sleep")
        sock.setblocking(False)
        tally = Tally(self._codes, self._running, self._main, NOISE * 1e9 / rate)
        began, used = time.monotonic(), time.process_time_ns()
        ticking = self._ticks.start(rate, tally.tick)
        looked = began
        tick = 0
        while (now := time.monotonic()) < began + seconds:
            tick = max(tick + 1, int((now - began) * rate))  # what was missed is not made up for
            sleep(max(min(began + tick / rate, began + seconds) - now, 0))
            tally.sample(main=not ticking)
            if now - looked > LOOK:
                looked = now
                if _is_gone(sock):
                    return None
        return tally.profile(time.monotonic() - began, rate, time.process_time_ns() - used)

    def _running(self) -> str:
        """The method of the call that the loop's thread executes right now; empty if it executes none."""
        for seat in list(self._seats()):
            call, fiber = seat.call, seat.fiber
            # Of all fibers that have begun, only the one that runs has no frame in store.
            if call is not None and fiber is not None and bool(fiber) and fiber.gr_frame is None:
                return f"{call.service}.{call.method}"
        return ""


def _frame(frame: FrameType) -> Frame:
    code = frame.f_code
    return Frame(code.co_qualname, code.co_filename, frame.f_lineno or code.co_firstlineno)


def _is_gone(sock: socket) -> bool:
    try:
        return not sock.recv(1)
    except BlockingIOError:
        return False
    except OSError:
        return True


class Tally:
    """Stacks with what was used in them. ``running`` names the call that the thread ``main`` executes.

    Less than ``noise`` nanoseconds between two looks are none.
    """

    def __init__(self, codes: dict[CodeType, str], running: Callable[[], str], main: int, noise: float) -> None:
        self._codes = codes
        self._running = running
        self._main = main
        self._noise = noise
        #: By threads: what they had used at the last look, and what of that is not in any stack yet.
        self._used: dict[int, int] = {}
        self._owed: dict[int, int] = {}
        #: Of the loop's thread, which may add to its own while the other one does, and of all others.
        self._mine: dict[tuple[Frame, ...], list[int]] = {}
        self._others: dict[tuple[Frame, ...], list[int]] = {}
        self._left_out = 0
        self._samples = 0

    def sample(self, main: bool) -> None:
        """Look once at all threads but this one; at the loop's only if ``main``."""
        self._samples += 1
        left_out = {_get_ident()} if main else {_get_ident(), self._main}
        for ident, frame in sys._current_frames().items():
            if ident not in left_out:
                # A thread that stands in there is alive until it gets the interpreter: its clock can be asked for.
                self._look(ident, frame, _cpu(ident), self._others)

    def tick(self, frame: FrameType) -> None:
        """The loop's thread looks at itself."""
        self._samples += 1
        self._look(self._main, frame, time.thread_time_ns(), self._mine)

    def _look(self, ident: int, frame: FrameType, now: int, stacks: dict[tuple[Frame, ...], list[int]]) -> None:
        spent = now - self._used.get(ident, now)
        self._used[ident] = now
        if spent <= self._noise:
            return
        owed = self._owed.get(ident, 0) + spent
        if frame.f_code.co_filename.startswith(_WAITS):
            self._owed[ident] = owed
        else:
            self._owed.pop(ident, None)
            self._add(stacks, self._stack(ident, frame), owed)

    def _stack(self, ident: int, frame: FrameType) -> tuple[Frame, ...]:
        stack = walk(frame)
        method = next((self._codes[each.f_code] for each in stack if each.f_code in self._codes), "")
        if ident == self._main:
            method = method or self._running()
        foreign = of_handlers(stack)
        if not foreign and ident != self._main and not any(map(is_ours, stack)):
            foreign = stack  # a thread of somebody else's
        if foreign and foreign[-1].f_code in self._codes and foreign[-1].f_lasti <= _entry(foreign[-1].f_code):
            foreign = []  # the handler has not begun: what was used was used before it
        shown = list(map(_frame, foreign))
        if not foreign:
            shown = [Frame(OURS), *(_frame(each) for each in stack if is_ours(each) and not method)]
        return (Frame(method or OUTSIDE), *shown[-DEPTH:])

    def _add(self, stacks: dict[tuple[Frame, ...], list[int]], stack: tuple[Frame, ...], spent: int) -> None:
        found = stacks.get(stack)
        if found is not None:
            found[0] += spent
            found[1] += 1
        elif len(stacks) < STACKS:
            stacks[stack] = [spent, 1]
        else:
            self._left_out += spent

    def profile(self, seconds: float, rate: float, cpu: int) -> Profile:
        """All of it. What was used by threads that were never met at work is nobody's."""
        if owed := sum(self._owed.values()):
            self._add(self._others, (Frame(OUTSIDE), Frame(OURS)), owed)
            self._owed.clear()
        places: dict[Frame, int] = {}
        stacks = tuple(
            Stack(tuple(places.setdefault(frame, len(places)) for frame in stack), spent, count)
            for stack, (spent, count) in [*self._mine.items(), *self._others.items()]
        )
        return Profile(os.getpid(), SERVER, seconds, rate, cpu, self._samples, tuple(places), stacks, self._left_out)


def _cpu(ident: int) -> int:
    """Nanoseconds of CPU that a living thread has used."""
    return time.clock_gettime_ns(time.pthread_getcpuclockid(ident))


@cache
def _entry(code: CodeType) -> int:
    """Where a function's own instructions begin: before, only its frame is made."""
    return next((each.offset for each in dis.get_instructions(code) if each.opname == "RESUME"), 0)
