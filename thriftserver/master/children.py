"""The workers as their master sees them: each with its report pipe and stacks.

It hears and remembers; what follows is ``policy``'s to decide.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable
from contextlib import ExitStack

from msgspec import Struct

from thriftserver.assignment import REPORT, STACKS, Report
from thriftserver.log import Logger
from thriftserver.master.fork import fork
from thriftserver.scoreboard import layout
from thriftserver.scoreboard.board import Board
from thriftserver.sealed import sealed

#: Bytes of one look at a report pipe; what one worker has to say may be more, but others have their turn between.
LOOK = 65_536
#: Reports of one worker: none of ours has so many.
REPORTS = 10_000
#: Looks at the pipe of a worker that is gone. Its children may have it, and write for ever.
LAST_LOOKS = 4


class Child(Struct):
    """A worker: the reading end of its report pipe, and what came through it.

    ``errands`` is where it is asked for more than serving.
    ``pipe`` is -1 when there is nothing to hear any more: the other end is closed, or ``complaint`` says why not.
    """

    number: int
    pipe: int
    stacks: int
    errands: socket.socket
    received: bytes = b""
    reason: str = ""
    complaint: str = ""
    heard: int = 0

    def reports(self) -> list[Report]:
        """What has come since the last time. Nothing is heard any more from who says what no worker would."""
        try:
            chunk = os.read(self.pipe, LOOK)
        except BlockingIOError:
            return []
        if not chunk:  # poll would tell of it for ever
            self.hush()
        *lines, self.received = (self.received + chunk).split(b"\n")
        self.heard += len(lines)
        found: list[Report] = []
        try:
            if len(self.received) > REPORT or self.heard > REPORTS:
                raise ValueError("a report without an end" if self.heard <= REPORTS else "reports without an end")
            found.extend(map(Report.parse, lines))
        except ValueError as error:
            self.complaint = str(error)
            self.hush()
        return found

    def last_words(self) -> list[Report]:
        """What is still in the pipe of a worker that has ended."""
        return [report for _ in range(LAST_LOOKS) if self.pipe >= 0 for report in self.reports()]

    def hush(self) -> None:
        """Hear nothing any more."""
        self.received = b""
        if self.pipe >= 0:
            os.close(self.pipe)
            self.pipe = -1

    def close(self) -> None:
        self.hush()
        os.close(self.stacks)
        self.errands.close()


def bear(number: int, work: Callable[[int, int, int], int], private: Iterable[int]) -> tuple[int, Child]:
    """The pid of a child that does ``work``, which is given where to report, where to leave its stacks and
    where it is sent on errands.

    Raises OSError, and leaves no descriptor open, when the system gives no process.
    """
    with ExitStack() as undo:
        read, write = os.pipe2(os.O_CLOEXEC)
        undo.callback(os.close, read)
        writing = undo.enter_context(ExitStack())
        writing.callback(os.close, write)
        os.set_blocking(read, False)
        stacks = sealed("thriftserver-stacks", STACKS)
        undo.callback(os.close, stacks)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        undo.callback(ours.close)
        writing.callback(theirs.close)
        ours.setblocking(False)
        pid = fork(lambda: work(write, stacks, theirs.fileno()), [*private, read, ours.fileno()])
        writing.close()
        undo.pop_all()
    return pid, Child(number, read, stacks, ours)


def bury(child: Child, pid: int, reason: str, board: Board, log: Logger) -> None:
    """Log what a dead worker was doing, each call it took with it, and keep what it had counted.

    ``reason`` is why it ended, one of ``layout.EXITS``.
    """
    hung = reason == "hung"
    log = log.bind(worker=child.number, pid=pid)
    calls = board.calls(child.number)
    stacks = _stacks(child)
    if hung or stacks:
        names = [f"{call.service}.{call.method}" for call in calls]
        log.error("worker_hung" if hung else "worker_crashed", stacks=stacks, calls=names)
    for call in calls:
        facts = {"service": call.service, "method": call.method, "seqid": call.seqid, "peer": call.peer}
        log.error("call_lost", **facts, age_s=round(call.age, 3))
    if connections := board.slot_words(child.number)[layout.CONNECTIONS]:
        log.error("connections_lost", count=connections)
    board.fold(child.number, reason)


def _stacks(child: Child) -> str:
    """What a worker has written of its threads: first the one that it ended in, as a log may leave out the middle."""
    text = os.pread(child.stacks, STACKS, 0).rstrip(b"\0").decode("utf-8", "replace")
    title, *threads = text.partition("\nExtension modules:")[0].rstrip("\n").split("\n\n")
    threads.sort(key=lambda each: not each.startswith("Current thread"))
    return "\n\n".join((title, *threads))
