"""Where lines go: stderr or a file, each line whole, and nobody waits for a log that does not take them.

The master writes at once, and keeps for later what the log has no room for within a moment. A worker's event loop must
not wait even that long: it only queues, and one thread of its own writes. What is lost (full disk, gone pipe, nobody
reads) is counted, and told as soon as there is room. Nothing here knows what a line says.

gevent replaces threads, queues, sleep and poll when a worker starts. The names below are taken before, when this
module is imported in the master, so the thread is a real one.
"""

from __future__ import annotations

import os
import select
import stat
from _queue import Empty, SimpleQueue
from _thread import LockType, allocate_lock, start_new_thread
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from select import poll
from signal import SIG_BLOCK, pthread_sigmask, valid_signals
from time import sleep

from thriftserver import places
from thriftserver.errors import ConfigError

#: Lines that may wait to be written.
BACKLOG = 16_384
#: Seconds in which lines gather for one write: the writer takes the interpreter a hundred times a second at most.
GATHER = 0.01
#: Seconds that the master waits for a log that takes no more, and lines that it keeps then.
PATIENCE = 0.2
KEPT = 1_024
#: Bytes of one write: journald's socket takes so much whole, a file takes any size. A pipe takes PIPE_BUF (4,096).
PIECE = 32_768


class Sink:
    """One descriptor of this process, and the lines on their way to it. ``limit`` is the size of the longest line."""

    def __init__(self) -> None:
        self._fd = -1
        self._path = ""
        self._queue: SimpleQueue[bytes | LockType] | None = None
        self._writing = False
        self._kept: deque[bytes] = deque()
        # Counters of one writer each, so that none needs a lock: who queues, and who writes.
        self._dropped = self._failed = self._told = 0
        self._stuck = False
        self._torn = False
        #: Makes the line that says how many were lost.
        self.tell_lost: Callable[[int], bytes] = lambda count: b"%d lines lost\n" % count
        self.limit = PIECE
        os.register_at_fork(after_in_child=self.write_at_once)

    def to_stderr(self) -> None:
        """Write to the stderr that this process was started with, from now on."""
        self._use(_own(2), "")

    def to_file(self, path: str) -> None:
        """Append to a file, from now on. Raises ConfigError when it cannot be opened."""
        try:
            self._use(_open(path), os.path.abspath(path))
        except OSError as error:
            raise ConfigError(f"cannot open the log file {path}: {error.strerror}") from None

    def _use(self, fd: int, path: str) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._path = fd, path
        self.limit = select.PIPE_BUF if stat.S_ISFIFO(os.fstat(fd).st_mode) else PIECE

    def reopen(self) -> None:
        """Follow the name of the log file, which someone has moved. Raises OSError, and keeps the old one then."""
        if self._path:
            fd = _open(self._path)
            os.dup2(fd, self._fd, inheritable=False)  # in one step: a thread may be writing
            os.close(fd)
            self._torn = False

    def write_behind(self) -> None:
        """Queue lines from now on, for a thread that starts with the first one. Ends in a forked child."""
        self._queue, self._writing = SimpleQueue(), False

    def write_at_once(self) -> None:
        """What the parent has queued or lost is the parent's to write or tell."""
        self._queue = None
        self._kept.clear()
        self._dropped = self._failed = self._told = 0

    @property
    def lost(self) -> int:
        """Lines of this process that nobody will read."""
        return self._dropped + self._failed

    def put(self, line: bytes) -> None:
        queue = self._queue
        if queue is None:
            self._kept.append(line)
            if len(self._kept) > KEPT:
                self._kept.popleft()
                self._dropped += 1
            self.retry()
        elif queue.qsize() >= BACKLOG:
            self._dropped += 1
        else:
            queue.put(line)
            if not self._writing:
                self._writing = True
                self._writing = self._start(queue)

    def retry(self) -> None:
        """Write what there was no room for until now, if there is any by now."""
        while self._kept:
            line = self._kept.popleft()
            self._tell(PATIENCE)
            failed = self._write(line, PATIENCE)
            if failed and self._stuck:
                self._kept.appendleft(line)
                return
            self._failed += failed

    def flush(self, timeout: float) -> bool:
        """Wait until everything queued is written; False when that took too long."""
        if self._queue is None:
            self._stuck = False
            self.retry()
            return not self._kept
        if not self._writing:
            return True
        done = allocate_lock()
        done.acquire()
        self._queue.put(done)
        return done.acquire(timeout=timeout)

    def _start(self, queue: SimpleQueue[bytes | LockType]) -> bool:
        """Have a thread write from now on. The user may have no more of them: then what there is room for is written
        here, without waiting, and the next line tries again."""
        try:
            start_new_thread(self._run, (queue,))
        except RuntimeError:
            self._work_off(queue, [], 0.0)
            return False
        return True

    # The writing thread.

    def _run(self, queue: SimpleQueue[bytes | LockType]) -> None:
        pthread_sigmask(SIG_BLOCK, valid_signals())  # signals are for the thread that serves
        while True:
            self._work_off(queue, [queue.get()], None)
            sleep(GATHER)

    def _work_off(
        self, queue: SimpleQueue[bytes | LockType], items: list[bytes | LockType], patience: float | None
    ) -> None:
        """Write these and what is queued behind them, and tell those who wait for it."""
        with suppress(Empty):
            while len(items) < BACKLOG:
                items.append(queue.get_nowait())
        self._deliver([item for item in items if isinstance(item, bytes)], patience)
        for item in items:
            if not isinstance(item, bytes):
                item.release()

    # Writing.

    def _deliver(self, lines: list[bytes], patience: float | None) -> None:
        """Write lines, as many at once as stay in one piece; wait ``patience`` seconds for room, None: for ever."""
        self._tell(patience)
        start = size = 0
        for number, line in enumerate(lines):
            if size and size + len(line) > self.limit:
                self._failed += self._write(b"".join(lines[start:number]), patience)
                start, size = number, 0
            size += len(line)
        self._failed += self._write(b"".join(lines[start:]), patience)

    def _tell(self, patience: float | None) -> None:
        """Say how many lines have been lost since it was said last."""
        lost = self.lost - self._told
        if lost and not self._write(self.tell_lost(lost), patience):
            self._told += lost

    def _write(self, data: bytes, patience: float | None) -> int:
        """How many of the lines in ``data`` are lost, because there is no room for them or the log is broken."""
        whole = b"\n" + data if self._torn else data
        rest = memoryview(whole)
        with suppress(OSError):  # a full disk, a reader that is gone
            while rest and self._room(patience):
                with suppress(BlockingIOError):  # another process took the room
                    rest = rest[os.write(self._fd, rest) :]
        written = len(whole) - len(rest)
        if written:
            self._torn = whole[written - 1 : written] != b"\n"
        return data.count(b"\n", max(0, written - (len(whole) - len(data))))

    def _room(self, patience: float | None) -> bool:
        watch = poll()
        watch.register(self._fd, select.POLLOUT)
        # Having waited in vain once, do not wait for every line: the writer of this line has other things to do.
        wait = None if patience is None else 0 if self._stuck else patience * 1000
        self._stuck = not watch.poll(wait)
        return not self._stuck


def _open(path: str) -> int:
    """Non-blocking, which means nothing to a file, and to a named pipe that nobody reads an error instead of a wait."""
    with places.at(path, follow=True) as place:
        return place.open(os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o640)


def _own(fd: int) -> int:
    """A descriptor of our own. A pipe is opened anew, because making the inherited one non-blocking would make it so
    for every process that shares it."""
    if stat.S_ISFIFO(os.fstat(fd).st_mode):
        with suppress(OSError):  # another user's pipe, or no /proc: a write may then block behind another's
            return os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    return os.dup(fd)
