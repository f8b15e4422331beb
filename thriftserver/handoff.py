"""A second accept queue, for connections that live: a process that leaves puts them in, its successors take them out.

A message is one connection: its descriptor, and bytes that say what was learnt of it (``worker.connection`` writes and
reads them; nobody else needs to understand them). All workers share one queue, and it outlives each of them.
"""

from __future__ import annotations

import array
import errno
import os
import socket

from msgspec import Struct

#: Bytes that travel in the message itself; longer ones in a file without a name that travels beside the connection.
INLINE = 32_768
#: Too many descriptors under way, which the kernel counts per user, is a queue that is full too.
_FULL = (errno.EAGAIN, errno.ETOOMANYREFS, errno.ENOBUFS, errno.ENOMEM)
_ROOM = socket.CMSG_SPACE(2 * array.array("i").itemsize)


class Parcel(Struct):
    """A connection on its way. Whoever takes it out owns ``descriptor``."""

    descriptor: int
    data: bytes


class Handoff:
    """A queue of parcels between processes. Both ends never block, and survive a fork and (``descriptors``) an exec."""

    def __init__(self, put: socket.socket, take: socket.socket) -> None:
        self._put = put
        self._take = take
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

    def close(self) -> None:
        """What is still in the queue is closed with it, when no other process has it."""
        self._put.close()
        self._take.close()

    def put(self, parcel: Parcel) -> bool:
        """Send a connection; the sender still has to close its own descriptor. False: the queue is full for now."""
        descriptors, data = [parcel.descriptor], parcel.data
        if len(data) > INLINE:
            descriptors.append(_filed(data))
            data = b""
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))]
        try:
            self._put.sendmsg([b"1" + data], rights)
        except OSError as error:
            if error.errno in _FULL:
                return False
            raise
        finally:
            for extra in descriptors[1:]:
                os.close(extra)
        return True

    def take(self) -> Parcel | None:
        """The next connection, or None: nobody has put one in, or another process was faster."""
        try:
            data, ancillary, _, _ = self._take.recvmsg(1 + INLINE, _ROOM, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return None
        descriptors = array.array("i")
        for level, kind, rights in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                descriptors.frombytes(rights[: len(rights) - len(rights) % descriptors.itemsize])
        if not descriptors:  # the process is out of descriptors: the kernel could not give us this one
            return None
        if len(descriptors) > 1:
            return Parcel(descriptors[0], _unfiled(descriptors[1]))
        return Parcel(descriptors[0], data[1:])


def _filed(data: bytes) -> int:
    descriptor = os.memfd_create("thriftserver-unread", os.MFD_CLOEXEC)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(data)
    return descriptor


def _unfiled(descriptor: int) -> bytes:
    with open(descriptor, "rb") as file:
        file.seek(0)
        return file.read()
