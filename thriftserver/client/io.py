"""The primitives under ``line``; ``_line.pxd`` has their C twins, for sockets that are the kernel's own.

Nothing here knows Thrift.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thriftserver.client.line import Line

#: What ``peek`` finds to be read: some bytes, none yet, none any more.
ANYTHING, NOTHING, END = 1, 0, -1


def send(line: Line, data: bytes, timeout: float | None) -> None:
    """All of it within ``timeout`` seconds, None for any; raises TimeoutError, or OSError where the peer is gone."""
    _limit(line.sock, timeout)
    line.sock.sendall(data)


def receive(line: Line, most: int, timeout: float | None) -> bytes:
    """What comes within ``timeout`` seconds, None for any, up to so many bytes; none at the end of the stream.

    Raises TimeoutError, or OSError where the peer is gone.
    """
    _limit(line.sock, timeout)
    return line.sock.recv(most)


def peek(line: Line) -> int:
    """What there is to be read now; it stays there."""
    _limit(line.sock, 0)
    try:
        return ANYTHING if line.sock.recv(1, socket.MSG_PEEK) else END
    except BlockingIOError:
        return NOTHING
    except OSError:
        return END


def _limit(sock: socket.socket, timeout: float | None) -> None:
    """A system call, but where it changes nothing."""
    if sock.gettimeout() != timeout:
        sock.settimeout(timeout)
