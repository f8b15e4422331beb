"""Silent peers: what the kernel is told, so that it ends a connection whose other side has vanished."""

from __future__ import annotations

import socket

#: Questions that a silent peer may leave unanswered; and the longest silence that the kernel takes, in seconds.
PROBES = 4
MOST_IDLE = 32_767


def keep_alive(sock: socket.socket, seconds: float) -> None:
    """Have the kernel end a connection whose peer has vanished: after so long in silence, and as long for answers."""
    idle = min(max(round(seconds), 1), MOST_IDLE)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, max(idle // PROBES, 1))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES)
