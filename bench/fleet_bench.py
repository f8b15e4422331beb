"""One large machine, what its supervision, hand-off queue and scoreboard cost; a deploy over many, simulated.

The hand-over of its connections is real: processes and connections, as many as the machine's limits allow.

python -m bench.fleet_bench [--machines N] [--seed N] [--update docs/scale.md]
"""

from __future__ import annotations

import os
import resource
import socket
import time
from collections.abc import Callable

from bench import handover, report
from bench.fleet import Chances, Clock, Fleet, Machine
from thriftserver.handoff import Handoff, Parcel
from thriftserver.scoreboard.board import Board
from thriftserver.scoreboard.slot import Slot

WORKERS, CONNECTIONS = 64, 100_000
METHODS = 50

_TROUBLE = Chances(boot_fails=0.01, boot_hangs=0.005, lingers=0.02)
_MORE = Chances(boot_fails=0.01, boot_hangs=0.005, lingers=0.02, crashes=1, dies=0.2)
_YOUNG = "a release whose workers die after 2 s"

#: What happens, how many machines at once, and for how many seconds each is watched before it counts.
SCENARIOS: list[tuple[str, Chances, int, int]] = [
    ("nothing goes wrong", Chances(), 10, 0),
    ("nothing goes wrong", Chances(), 50, 0),
    ("nothing goes wrong", Chances(), 200, 0),
    ("1 % of boots fail, 0.5 % hang, 2 % of old workers linger", _TROUBLE, 50, 0),
    ("and each hour workers crash once, a fifth of the machines dies", _MORE, 50, 0),
    ("boots of 20 s", Chances(boot=20), 50, 0),
    ("a release that boots nowhere", Chances(broken=True), 50, 0),
    (_YOUNG, Chances(dies_young=2), 50, 0),
    (_YOUNG, Chances(dies_young=2), 50, 30),
    (_YOUNG, Chances(dies_young=2), 10, 30),
]


def rollouts(machines: int, seed: int) -> str:
    rows: list[list[object]] = []
    for name, chances, at_once, watch in SCENARIOS:
        fleet = Fleet(chances, seed, machines=machines, workers=4, at_once=at_once, most=20, watch=watch)
        began = time.process_time()
        found = fleet.roll()
        spent = (time.process_time() - began) / found.decisions * 1e6
        how = [name, at_once, watch, f"{found.seconds:.0f}", f"{found.least:.1%}"]
        ended = "halted" if found.halted else "done"
        rows.append([*how, found.done, found.rejected, found.failed, ended, f"{spent:.0f}"])
    head = ["what happens", "at once", "watched, s", "seconds", "least serving"]
    return report.table([*head, "released", "rejections", "failed", "end", "us a decision"], rows)


def supervision(workers: int) -> tuple[float, int, int]:
    """One machine's start and reload: milliseconds of CPU, decisions, and the most workers that were there at once."""
    clock, most = Clock(1), 0
    machine = Machine(clock, Chances(), workers, lambda news: None, lambda by: None)

    def reached(done: Callable[[], bool]) -> bool:
        nonlocal most
        most = max(most, len(machine.state.workers))
        return done()

    machine.start()
    clock.run(lambda: machine.serving() == workers)
    decided, began = machine.decisions, time.process_time()
    machine.deploy()
    clock.run(lambda: reached(lambda: machine.released() and len(machine.state.workers) == workers))
    return (time.process_time() - began) * 1e3, machine.decisions - decided, most


def moved(count: int) -> tuple[float, int]:
    """Microseconds to put a connection into the real queue and take it out again, and how many fit into it at once.

    In one process, that is without all that two processes do beside it: the least that it can cost.
    """
    queue = Handoff.create()
    ours, theirs = socket.socketpair()
    with ours, theirs:
        parcel = Parcel(ours.fileno(), b"x" * 100)
        room = 0
        began = time.process_time()
        for _ in range(count):
            if not queue.put(parcel):
                break
            room += 1
        done = room
        while taken := queue.take():
            os.close(taken.descriptor)
            if done < count and queue.put(parcel):
                done += 1
        spent = time.process_time() - began
    queue.close()
    return spent / done * 1e6, room


def looking(workers: int) -> tuple[float, float]:
    """MiB of a scoreboard that has room for a reload, and milliseconds to read what all workers write."""
    board = Board.create(2 * workers, METHODS)
    for number in range(1, workers + 1):
        slot = Slot(board.slot_words(number), board.plan)
        slot.open(number, 1, [("Service", f"method{each}", ()) for each in range(METHODS)], time.monotonic_ns())
        for method in range(METHODS):
            slot.finish(method, 0, -1, 1_000_000, 1000, 100, 100)
    began = time.process_time()
    rounds = 10
    for _ in range(rounds):
        board.snapshot()
    spent = (time.process_time() - began) / rounds * 1e3
    return board.plan.total_words * 8 / (1 << 20), spent


def one_machine() -> str:
    each, room = moved(CONNECTIONS)
    rows = []
    for workers in (4, 16, WORKERS, 2 * WORKERS):
        cpu, decisions, most = supervision(workers)
        size, read = looking(workers)
        rows.append([workers, decisions, f"{cpu:.0f}", most, f"{size:.0f}", f"{read:.1f}"])
    head = [
        "workers",
        "decisions of a reload",
        "their CPU, ms",
        "processes at most",
        "scoreboard, MiB",
        "reading it, ms",
    ]
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    queue = (
        f"The queue alone costs {each:.1f} us of CPU for a connection, in and out, in one process; {room} fit in "
        "before any is taken out."
    )
    how = (
        "A reload, in which so many old workers give all their connections to as many new ones at once: real "
        "processes, as many connections as fit here, and how long all of them would take at the same cost "
        f"(`ulimit -n` is {limit}; all are {CONNECTIONS}):"
    )
    reloads = report.table(handover.HEAD, [handover.row(workers, CONNECTIONS) for workers in (4, 16, WORKERS)])
    return f"{report.table(head, rows)}\n\n{queue}\n\n{how}\n\n{reloads}"


def main() -> None:
    parser = report.parser(__doc__)
    parser.add_argument("--machines", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=17)
    args = parser.parse_args()
    body = f"{one_machine()}\n\n{args.machines} machines of 4 workers:\n\n{rollouts(args.machines, args.seed)}"
    report.publish("fleet", body, args.update)


if __name__ == "__main__":
    main()
