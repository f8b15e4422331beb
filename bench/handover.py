"""All connections of a machine on their way from its old workers to its new ones, in real processes.

Each worker is a process with a worker's own loop; all share one queue and one scoreboard, as a master's children do.
The old ones leave all at once, which is the worst moment of a reload, while each new one takes what it can get. A
connection is a pair of unix sockets, whose other end a client has, a process for each old worker. In the end every
client makes a call on each of its connections, which must be answered.

python -m bench.handover [--workers N] [--connections N]
"""

from __future__ import annotations

import argparse
import os
import resource
import select
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from gevent import get_hub

from bench import processes, report, workload
from thriftserver import load
from thriftserver.compiled import choose
from thriftserver.config import Settings
from thriftserver.handoff import Handoff
from thriftserver.log import Logger
from thriftserver.rpc.binding import Bound
from thriftserver.rpc.method import make_methods
from thriftserver.scoreboard import layout
from thriftserver.scoreboard.board import Board
from thriftserver.worker.accept import Fellows
from thriftserver.worker.loop import Loop

#: Seconds after which whoever still waits gives up.
PATIENCE = 600.0
#: Descriptors of a process that are no connections.
OTHERS = 64
#: Bytes of memory to leave for each connection: its two ends, and the objects that a worker has of it.
EACH = 16_384
IDL = {"bench/handover.thrift": "service Bench { void ping() }"}


HEAD = ["workers", "connections", "answered after it", "seconds", "us of CPU for each", "seconds for all"]
HEAD += ["moves of each", "fewest of one", "most of one"]


class Handler:
    def ping(self) -> None:
        return None


class Gate:
    """Shut for all other processes until this one opens it, or ends."""

    def __init__(self) -> None:
        self.fd, self._latch = os.pipe()

    def open(self) -> None:
        if self._latch >= 0:
            os.close(self._latch)
            self._latch = -1

    def wait(self) -> None:
        os.read(self.fd, 1)


class Result(NamedTuple):
    """Of a reload; ``seconds`` until the last connection had arrived, ``cpu`` seconds of all workers until then."""

    connections: int
    seconds: float
    cpu: float
    moves: int
    """How often a connection was taken out of the queue: more often than once each where new workers even out."""
    fewest: int
    most: int
    """Connections of one new worker in the end."""
    answered: int


def allowed(workers: int) -> int:
    """Connections that the limits of this machine leave room for. A client has both ends of its own for a moment."""
    own, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    memory = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())["MemAvailable"]
    everybody = int(Path("/proc/sys/fs/file-max").read_text())
    return min(workers * (own - OTHERS) // 2, everybody // 4, int(memory.split()[0]) * 512 // EACH)


class Machine:
    """What all its processes share, which are forks of this one. ``each`` is the connections of an old worker."""

    def __init__(self, workers: int, each: int) -> None:
        self._workers, self._each = workers, each
        service = load(next(iter(IDL)), files=IDL).Bench.__thrift__
        self._methods = make_methods([Bound(service, Handler(), "bench")])
        self._board = Board.create(2 * workers, len(self._methods))
        self._handoff = Handoff.create()
        self._gates = self._go, self._ask, self._end = Gate(), Gate(), Gate()
        self._told, self._tell = os.pipe()
        self._children: list[int] = []

    def reload(self) -> Result:
        """To be called once."""
        try:
            for number in range(1, self._workers + 1):
                self._fork(partial(self._client, number))
                self._fork(partial(self._new, self._workers + number))
            self._hear(3 * self._workers)
            return self._watch()
        finally:
            for gate in self._gates:
                gate.open()
            for pid in self._children:
                os.waitpid(pid, 0)

    def _watch(self) -> Result:
        old, new = (range(first, first + self._workers) for first in (1, 1 + self._workers))
        everybody = [*self._words(old, layout.PID), *self._words(new, layout.PID)]
        total, before, began = self._workers * self._each, processes.cpu_ns(everybody), time.monotonic()
        self._go.open()
        while sum(self._words(new, layout.CONNECTIONS)) < total and time.monotonic() - began < PATIENCE:
            time.sleep(0.005)
        seconds, cpu = time.monotonic() - began, processes.cpu_ns(everybody) - before
        moves, found = self._words(new, layout.COUNTER["handed_in"]), self._words(new, layout.CONNECTIONS)
        self._ask.open()
        answered = self._hear(self._workers)
        return Result(total, seconds, cpu / 1e9, sum(moves), min(found), max(found), answered)

    def _words(self, numbers: range, word: int) -> list[int]:
        return [self._board.slot_words(number)[word] for number in numbers]

    # The processes.

    def _fork(self, live: Callable[[], None]) -> None:
        pid = os.fork()
        if pid:
            self._children.append(pid)
            return
        try:
            self._children.clear()
            for gate in self._gates:
                gate.open()  # this process's copy
            live()
            os._exit(0)
        except BaseException as error:  # noqa: BLE001 - a child must not go on as its parent would
            sys.excepthook(type(error), error, error.__traceback__)
        finally:
            os._exit(1)

    def _client(self, number: int) -> None:
        """Makes connections, gives them to an old worker that it forks, and calls whoever serves them in the end."""
        pairs = [socket.socketpair() for _ in range(self._each)]
        self._fork(partial(self._old, number, pairs))
        self._handoff.close()
        ours = [pair[0] for pair in pairs]
        for _, theirs in pairs:
            theirs.close()
        self._say(0)
        self._ask.wait()
        request, reply = (workload.frame(each[0]) for each in workload.requests()["ping"])
        for each in ours:
            each.sendall(request)
            each.settimeout(PATIENCE)
        self._say(sum(each.recv(len(reply), socket.MSG_WAITALL) == reply for each in ours))
        self._end.wait()
        os.waitpid(self._children.pop(), 0)

    def _old(self, number: int, pairs: list[tuple[socket.socket, socket.socket]]) -> None:
        loop = self._loop(number)
        for theirs, ours in pairs:
            theirs.close()
            ours.setblocking(False)
            loop.adopt(ours.detach(), f"client {number}")
        loop.start()
        self._say(0)
        self._go.wait()
        loop.drain(PATIENCE, hand_over=True)
        self._end.wait()

    def _new(self, number: int) -> None:
        loop = self._loop(number)
        self._say(0)
        self._go.wait()
        loop.start()
        get_hub().wait(get_hub().loop.io(self._end.fd, 1))

    def _loop(self, number: int) -> Loop:
        """In a fork, which makes a hub of its own as it is the first to need one."""
        slot = choose("scoreboard.slot").Slot(self._board.slot_words(number), self._board.plan)
        slot.open(
            os.getpid(), 1, [(each.service, each.name, each.throws) for each in self._methods], time.monotonic_ns()
        )
        slot.put(layout.STATE, layout.SERVING)
        processor = choose("rpc.processor").Processor(self._methods, slot, print)
        settings = Settings(max_connections=self._workers * self._each)
        return Loop([], self._handoff, Fellows(self._board, number), processor, [], Logger(), settings)

    # What they tell.

    def _say(self, number: int) -> None:
        os.write(self._tell, number.to_bytes(8))

    def _hear(self, count: int) -> int:
        """Wait until so many processes have told a number; the sum of them."""
        watch, told = select.poll(), b""
        watch.register(self._told, select.POLLIN)
        while len(told) < 8 * count:
            if not watch.poll(PATIENCE * 1000):
                raise TimeoutError(f"{count - len(told) // 8} of {count} processes are not heard of")
            told += os.read(self._told, 8 * count - len(told))
        return sum(int.from_bytes(told[at : at + 8]) for at in range(0, len(told), 8))


def row(workers: int, connections: int) -> list[object]:
    """A reload with as many of the connections as the limits allow, and how long it would be with all of them."""
    found = Machine(workers, min(connections, allowed(workers)) // workers).reload()
    share, all_of_them = found.connections, f"{found.seconds / found.connections * connections:.0f}"
    cost = [f"{found.seconds:.1f}", f"{found.cpu / share * 1e6:.0f}", all_of_them, f"{found.moves / share:.2f}"]
    return [workers, share, found.answered, *cost, found.fewest, found.most]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=64)
    parser.add_argument("--connections", type=int, default=100_000)
    args = parser.parse_args()
    print(report.table(HEAD, [row(args.workers, args.connections)]))


if __name__ == "__main__":
    main()
