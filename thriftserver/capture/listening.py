"""Listening to the workers of a running server: one socket that all of them write to, for as long as somebody reads."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

from thriftserver.capture.pieces import PIECE, Joining
from thriftserver.capture.records import Record

#: Bytes that the kernel keeps for a tool that does not keep up, if it may.
ROOM = 1 << 20
#: Seconds after which whoever reads may look round, though nothing has come.
LOOK = 0.5

#: Gives the writing end to a server. Raises what is wrong when there is none.
Begin = Callable[[int], object]


def listen(begin: Begin, until: float | None = None) -> Iterator[Record | None]:
    """The records of all workers as they come, None now and then while none comes; to the end of the server.

    ``until`` is a moment of ``time.monotonic``.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours:
        with theirs:
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, ROOM)
            begin(theirs.fileno())
        joining = Joining()
        while until is None or time.monotonic() < until:
            ours.settimeout(LOOK if until is None else max(min(LOOK, until - time.monotonic()), 0.001))
            try:
                piece = ours.recv(PIECE + 64)
            except TimeoutError:
                yield None
                continue
            if not piece:
                return
            yield from joining.take(piece)
