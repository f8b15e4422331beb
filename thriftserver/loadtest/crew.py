"""The processes of a load test: they are forked, begin together, and tell each second what they have counted."""

from __future__ import annotations

import contextlib
import gc
import json
import os
import resource
import selectors
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, NoReturn

from thriftserver.errors import ThriftServerError, TransportError
from thriftserver.loadtest.connection import Server
from thriftserver.loadtest.driver import Driver
from thriftserver.loadtest.gathering import Gathered
from thriftserver.loadtest.pacing import Closed, Open, Pace, Schedule
from thriftserver.loadtest.tally import Tally
from thriftserver.loadtest.workload import Workload

#: Descriptors that a process needs beside its connections.
_OTHERS = 64
#: Nanoseconds in which all processes have heard when to begin.
_AHEAD = 20_000_000


class Terms(NamedTuple):
    """How a server is loaded: for so many ``calls``, or ``seconds``, after those of ``warmup``, which do not count.

    With a ``pace`` calls are due by it (an open loop), without one whoever is free makes the next (a closed one).
    """

    connections: int
    processes: int
    calls: int | None
    seconds: float | None
    pace: Pace | None
    warmup: float

    def schedule(self, part: int, start: int) -> tuple[Schedule, int]:
        """What one of the processes does that begin at ``start`` nanoseconds, and from when on it counts."""
        begin = start + int(self.warmup * 1e9)
        end = None if self.seconds is None else begin + int(self.seconds * 1e9)
        if self.pace is not None:
            return Open(self.pace, part, self.processes, start, begin, end, self.calls), begin
        return Closed(begin, end, None if self.calls is None else _part(self.calls, part, self.processes)), begin


class Child(NamedTuple):
    pid: int
    #: What it says, line by line.
    said: int
    #: Where it is told when to begin.
    told: int


def run(server: Server, workload: Workload, terms: Terms, watch: Callable[[Gathered], object]) -> Gathered:
    """Load the server. ``watch`` is called after each second with what there is until then.

    SIGINT and SIGTERM end it early, with what there is. Raises TransportError where there is no connection to begin
    with, KeyboardInterrupt if it is stopped before that, and ThriftServerError.
    """
    _make_room(-(-terms.connections // terms.processes))
    gathered = Gathered(workload.called, terms.processes)
    children: list[Child] = []
    with _stopping(children, gathered):
        try:
            for part in range(terms.processes):
                children.append(_fork(server, workload, terms, part, children))
            if gathered.stopped:
                raise KeyboardInterrupt
            _gather(children, gathered, watch)
        finally:
            _end(children, gathered)
    gathered.finish()
    return gathered


def _part(number: int, part: int, parts: int) -> int:
    return number * (part + 1) // parts - number * part // parts


def _make_room(connections: int) -> None:
    """As many descriptors as may be. Raises TransportError where they are too few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHERS
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise TransportError(
            f"{connections} connections of one process need {wanted} descriptors, and the limit is {hard}: "
            "raise it (ulimit -n), or share them among more --processes"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextlib.contextmanager
def _stopping(children: list[Child], gathered: Gathered) -> Iterator[None]:
    """Whoever stops this process stops the test, at first with grace."""

    def stop(*_: object) -> None:
        number = signal.SIGKILL if gathered.stopped else signal.SIGTERM
        gathered.stopped = True
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _fork(server: Server, workload: Workload, terms: Terms, part: int, others: list[Child]) -> Child:
    said, saying = os.pipe()
    hearing, told = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        for number in (said, told, *(each for other in others for each in (other.said, other.told))):
            os.close(number)
        _live(server, workload, terms, part, saying, hearing)
    os.close(saying)
    os.close(hearing)
    return Child(pid, said, told)


def _live(server: Server, workload: Workload, terms: Terms, part: int, saying: int, hearing: int) -> NoReturn:
    """The whole life of a child."""
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all: the parent says what comes of it
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with open(saying, "w", encoding="utf-8", buffering=1) as out:
            try:
                _drive(server, workload, terms, part, lambda message: print(json.dumps(message), file=out), hearing)
                code = 0
            except (ThriftServerError, OSError, MemoryError) as error:
                print(json.dumps({"failed": str(error), "unreachable": isinstance(error, TransportError)}), file=out)
    except BrokenPipeError:
        pass  # the parent was killed, and nobody is left to be told
    except Exception:  # noqa: BLE001 - a defect of ours, in a process that must not go on as a second parent
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(code)


def _drive(
    server: Server, workload: Workload, terms: Terms, part: int, say: Callable[[dict[str, Any]], None], hearing: int
) -> None:
    def tell(interval: int, tallies: list[Tally]) -> None:
        say({"interval": interval, "methods": [each.plain() for each in tallies]})

    connections = _part(terms.connections, part, terms.processes)
    steps = workload.steps(part, terms.processes)
    driver = Driver(server, connections, steps, len(workload.called), tell)
    driver.connect()

    def stop(*_: object) -> None:
        driver.stop = True

    signal.signal(signal.SIGTERM, stop)
    say({"ready": True})
    start = os.read(hearing, 8)
    if not start:
        return
    gc.freeze()  # what was loaded until now is not looked at again and again
    schedule, begin = terms.schedule(part, int.from_bytes(start, "big"))
    while (ahead := begin - int(terms.warmup * 1e9) - time.monotonic_ns()) > 0:
        time.sleep(ahead / 1e9)
    used = time.process_time_ns()
    driver.run(schedule, begin)
    ended = time.monotonic_ns()
    if terms.seconds is not None and not driver.stop:
        ended = max(ended, begin + int(terms.seconds * 1e9))
    spent, lasted = time.process_time_ns() - used, ended - begin + int(terms.warmup * 1e9)
    say(
        {
            "seconds": max(ended - begin, 0) / 1e9,
            "cpu": spent / lasted if lasted > 0 else 0.0,
            "late": driver.late,
            "waited": driver.waited,
        }
    )


def _gather(children: list[Child], gathered: Gathered, watch: Callable[[Gathered], object]) -> None:
    """Have them begin once all are ready, and hear what they say until they have ended. Raises TransportError."""
    parts = {child.said: b"" for child in children}
    ready = 0
    with selectors.DefaultSelector() as selector:
        for child in children:
            selector.register(child.said, selectors.EVENT_READ)
        while parts:
            for key, _ in selector.select():
                data = os.read(key.fd, 1 << 16)
                *lines, parts[key.fd] = (parts[key.fd] + data).split(b"\n")
                for line in lines:
                    message = json.loads(line)
                    if "failed" in message:
                        raise (TransportError if message["unreachable"] else ThriftServerError)(message["failed"])
                    if "ready" in message:
                        ready += 1
                        if ready == len(children):
                            _begin(children)
                    elif gathered.take(message):
                        watch(gathered)
                if not data:
                    if ready < len(children) and gathered.stopped:
                        raise KeyboardInterrupt
                    if ready < len(children):
                        raise ThriftServerError("a process of the load test died before it began")
                    selector.unregister(key.fd)
                    del parts[key.fd]


def _begin(children: list[Child]) -> None:
    start = (time.monotonic_ns() + _AHEAD).to_bytes(8, "big")
    for child in children:
        with contextlib.suppress(BrokenPipeError):
            os.write(child.told, start)


def _end(children: list[Child], gathered: Gathered) -> None:
    """See all of them off; those that have not ended by themselves are killed."""
    for child in children:
        os.close(child.said)
        os.close(child.told)
    failed = sys.exc_info()[0] is not None
    for child in children:
        if failed:
            os.kill(child.pid, signal.SIGKILL)
        _, status = os.waitpid(child.pid, 0)
        gathered.lost += status != 0
