"""A second accept queue, for connections that live: a process that leaves puts them in, its successors take them out.

A message is one connection: its descriptor, and bytes that say what was learnt of it (``worker.connection`` writes and
reads them; nobody else needs to understand them). All workers share one queue, and it outlives each of them.
"""

from __future__ import annotations

import array
import errno
import os
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# Before a worker makes the standard library cooperative: gevent closes when its loop comes round, which is too late.
from os import close

from msgspec import Struct

#: Bytes that travel in the message itself; longer ones in a file without a name that travels beside the connection.
INLINE = 32_768
#: Too many descriptors under way, which the kernel counts per user, is a queue that is full too; and who has none left
#: for a file to put bytes in keeps them.
_FULL = (errno.EAGAIN, errno.ETOOMANYREFS, errno.ENOBUFS, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
#: Bytes that a connection may bring along beside a frame of the largest size: its peer's name, what one read gave.
BESIDE = 1 << 20
#: What to do about connections that cannot be put in, because too much is under way.
ADVICE = "closed; the user may have no more descriptors under way: LimitNOFILE= of the unit, ulimit -n"
#: Descriptors that one message may hold.
_MOST = 2
_ROOM = socket.CMSG_SPACE(_MOST * array.array("i").itemsize)


class Parcel(Struct):
    """A connection on its way. Whoever takes it out owns ``descriptor``."""

    descriptor: int
    data: bytes


class Handoff:
    """A queue of parcels between processes. Both ends never block, and survive a fork and (``descriptors``) an exec.

    The kernel throws away what a process has no room for that takes a message out of a socket, so room for its
    descriptors is kept in reserve.
    """

    def __init__(self, put: socket.socket, take: socket.socket) -> None:
        self._put = put
        self._take = take
        self._reserve: list[int] = []
        self._capped_since = 0.0
        #: Whoever may put something in may be a stranger: a connection does not bring more bytes than this.
        self.most = (1 << 31) + BESIDE
        for end in (put, take):
            end.setblocking(False)

    @classmethod
    def create(cls) -> Handoff:
        return cls(*socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET))

    @property
    def descriptors(self) -> tuple[int, int]:
        """The putting and the taking end, to be inherited."""
        return self._put.fileno(), self._take.fileno()

    @classmethod
    def inherit(cls, put: int, take: int) -> Handoff:
        return cls(socket.socket(fileno=put), socket.socket(fileno=take))

    @classmethod
    def left(cls, take: int) -> Handoff:
        """The taking end of a queue that somebody has filled who is no more."""
        end = socket.socket(fileno=take)
        return cls(end, end)

    def only_put(self) -> None:
        """This process takes nothing out: a connection that nobody else takes ends with the others."""
        self._take.close()
        while self._reserve:
            close(self._reserve.pop())

    def close(self) -> None:
        """What is still in the queue is closed with it, when no other process has it."""
        self._put.close()
        self._take.close()
        while self._reserve:
            close(self._reserve.pop())

    def put(self, parcel: Parcel) -> bool:
        """Send a connection; the sender still has to close its own descriptor. False: it cannot be sent for now."""
        try:
            if len(parcel.data) <= INLINE:
                self._send([parcel.descriptor], parcel.data)
            else:
                with self._lent(), _filed(parcel.data) as file:
                    self._send([parcel.descriptor, file], b"")
        except OSError as error:
            if error.errno not in _FULL:
                raise
            if error.errno != errno.ETOOMANYREFS:
                self._capped_since = 0.0
            elif not self._capped_since:
                self._capped_since = time.monotonic()
            return False
        self._capped_since = 0.0
        return True

    def capped(self) -> float:
        """Seconds for which nothing could be put in, because the user has too many descriptors under way anywhere."""
        return time.monotonic() - self._capped_since if self._capped_since else 0.0

    def _send(self, descriptors: list[int], data: bytes) -> None:
        self._put.sendmsg([b"1" + data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))])

    def take(self) -> Parcel | None:
        """The next connection, or None: nobody has put one in, or another process was faster.

        Raises OSError (EMFILE, ENFILE) when this process has no room for one: it stays in the queue.
        """
        self._keep_room()
        with self._lent():
            try:
                data, ancillary, flags, _ = self._take.recvmsg(1 + INLINE, _ROOM, socket.MSG_CMSG_CLOEXEC)
            except BlockingIOError:
                return None
        descriptors = array.array("i")
        for level, kind, rights in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                descriptors.frombytes(rights[: len(rights) - len(rights) % descriptors.itemsize])
        if flags & (socket.MSG_CTRUNC | socket.MSG_TRUNC):
            # A thread has taken the room that there was, or what was put in is none of ours. A part of a connection is
            # worse than none: the bytes that are missing would be read out of its next ones.
            for each in descriptors:
                close(each)
            raise OSError(errno.EMFILE, "a connection that was handed over is lost: no descriptor was free for it")
        if not descriptors:
            return None  # the end of the queue
        if len(descriptors) == 1:
            return Parcel(descriptors[0], data[1:])
        return Parcel(descriptors[0], _unfiled(descriptors[1], self.most))

    def _keep_room(self) -> None:
        while len(self._reserve) < _MOST:
            self._reserve.append(os.dup(self._take.fileno()))

    @contextmanager
    def _lent(self) -> Iterator[None]:
        """The reserve is free to be used."""
        while self._reserve:
            close(self._reserve.pop())
        try:
            yield
        finally:
            with suppress(OSError):  # the next one to take will say so
                self._keep_room()


@contextmanager
def _filed(data: bytes) -> Iterator[int]:
    descriptor = os.memfd_create("thriftserver-unread", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(data)
        yield descriptor
    finally:
        close(descriptor)


def _unfiled(descriptor: int, most: int) -> bytes:
    """What ``_filed`` put there; nothing of anything else."""
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_size > most:
            return b""
        file.seek(0)
        return file.read(status.st_size)
