"""Open descriptors beside the bytes of a message between two processes of a machine."""

from __future__ import annotations

import array
from _socket import CMSG_SPACE, MSG_CMSG_CLOEXEC, MSG_NOSIGNAL, SCM_RIGHTS, SOL_SOCKET, socket
from collections.abc import Sequence

_ITEM = array.array("i").itemsize


def send(sock: socket, data: bytes, descriptors: Sequence[int]) -> int:
    """How many of the bytes were sent, with descriptors, which stay open here. Raises OSError."""
    rights = [(SOL_SOCKET, SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
    return sock.sendmsg([data], rights, MSG_NOSIGNAL)


def receive(sock: socket, size: int, most: int = 1) -> tuple[bytes, list[int]]:
    """At most so many bytes, and descriptors that came with them, which whoever asks has to close. Raises OSError.

    The kernel closes what there is no room for in this process.
    """
    data, beside, _, _ = sock.recvmsg(size, CMSG_SPACE(most * _ITEM), MSG_CMSG_CLOEXEC)
    found = array.array("i")
    for level, kind, rights in beside:
        if (level, kind) == (SOL_SOCKET, SCM_RIGHTS):
            found.frombytes(rights[: len(rights) - len(rights) % _ITEM])
    return data, found.tolist()
