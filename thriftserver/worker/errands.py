"""What a worker is asked to do besides serving: messages of its master, each with a descriptor for the answer.

They are read by a real thread, so that a worker whose loop stands still can still be looked into.
"""

from __future__ import annotations

import json
import os
import signal
from _socket import socket
from collections.abc import Callable, Mapping
from signal import SIG_BLOCK, pthread_sigmask, valid_signals
from types import FrameType
from typing import TYPE_CHECKING, Any

from gevent import get_hub
from gevent.monkey import get_original

from thriftserver.assignment import ERRAND, Program
from thriftserver.log import Logger
from thriftserver.passing import receive

if TYPE_CHECKING:
    from thriftserver.rpc.method import Method
    from thriftserver.worker.fibers import Fibers
    from thriftserver.worker.forked import Offspring
    from thriftserver.worker.profiler import Profiler
    from thriftserver.worker.pump import Pump
    from thriftserver.worker.taps import Taps

_getsignal, _set_signal = get_original("signal", "getsignal"), get_original("signal", "signal")
#: Does an errand, given what was asked and a socket of its own, in the thread that reads them.
Task = Callable[[dict[str, Any], socket], None]


class Errands:
    """Reads from ``descriptor`` and does ``tasks``, by the name that the master asks by."""

    def __init__(self, descriptor: int, tasks: Mapping[str, Task], log: Logger) -> None:
        self._sock = socket(fileno=descriptor)
        self._tasks = tasks
        self._log = log

    def start(self) -> None:
        get_original("_thread", "start_new_thread")(self._run, ())

    def disown(self) -> None:
        """In a forked child, which is nobody's worker."""
        self._sock.close()

    def _run(self) -> None:
        pthread_sigmask(SIG_BLOCK, valid_signals())  # they are the loop's
        while True:
            try:
                data, descriptors = receive(self._sock, ERRAND)
            except OSError:
                return
            if not data:
                return  # the master is gone
            self._do(data, descriptors)

    def _do(self, data: bytes, descriptors: list[int]) -> None:
        try:
            asked = json.loads(data)
            self._tasks[asked.pop("errand")](asked, socket(fileno=descriptors.pop()))
        except Exception as error:  # noqa: BLE001 - the thread goes on: another errand may fare better
            self._log.exception("errand_failed", error)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)


def overhear(pump: Pump, program: Program, offspring: Offspring) -> Task:
    """The errand to let a tool listen to calls, made for who is called in the loop's thread."""
    loop = get_hub().loop
    taps: list[Taps] = []

    def add(sock: socket, wanted: Any) -> None:
        from thriftserver.capture.wanted import Wanted  # mostly nobody ever listens
        from thriftserver.worker.taps import Taps

        if not taps:
            taps.append(Taps(pump, program))
            offspring.without(taps[0].disown)
        taps[0].add(sock, Wanted.parse(wanted))

    def task(asked: dict[str, Any], sock: socket) -> None:
        loop.run_callback_threadsafe(add, sock, asked["wanted"])

    return task


class Ticks:
    """SIGPROF, which the kernel sends for CPU time that this process has used, as calls in the loop's thread.

    Handler code that wants the signal for itself has it. To be made in that thread.
    """

    def __init__(self) -> None:
        self._hear: Callable[[FrameType], None] | None = None
        if _getsignal(signal.SIGPROF) == signal.SIG_DFL:
            _set_signal(signal.SIGPROF, self._tick)
            signal.siginterrupt(signal.SIGPROF, False)  # what waits in C goes on

    def start(self, rate: float, hear: Callable[[FrameType], None]) -> bool:
        """Call ``hear`` so often in a second of CPU time, with the frame that runs; False if that cannot be."""
        if _getsignal(signal.SIGPROF) != self._tick:
            return False
        self._hear = hear
        signal.setitimer(signal.ITIMER_PROF, 1 / rate, 1 / rate)
        return True

    def stop(self) -> None:
        if self._hear is not None:
            signal.setitimer(signal.ITIMER_PROF, 0)
            self._hear = None

    def _tick(self, _number: int, frame: FrameType | None) -> None:
        hear = self._hear
        if hear is not None and frame is not None:
            hear(frame)


def profile(methods: list[Method], fibers: Fibers) -> Task:
    """The errand to tell where the CPU goes, made for who is called in the loop's thread."""
    main = get_original("threading", "get_ident")()

    profilers: list[Profiler] = []
    ticks = Ticks()

    def task(asked: dict[str, Any], sock: socket) -> None:
        from thriftserver.worker.profiler import Profiler  # as above
        from thriftserver.worker.watch import codes_of

        if not profilers:
            profilers.append(Profiler(codes_of(methods), lambda: fibers.seats, main, ticks))
        profilers[0].task(asked, sock)

    return task
