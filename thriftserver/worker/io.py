"""The primitives under ``pump``: one inbox for all reads, sends, and what epoll has found.

``_pump.pxd`` has their C twins. Nothing here waits, and nothing here knows Thrift.
"""

from __future__ import annotations

import os

# The class beneath socket.socket: gevent's patch leaves it as it is, and this room must never wait.
from _socket import MSG_DONTWAIT, MSG_MORE, MSG_NOSIGNAL, MSG_PEEK, socket
from typing import Any

from thriftserver.codec.seam import Sink, Source, view_source

#: Bytes of one read; a frame that is larger takes several.
INBOX = 65_536
#: What ``receive`` and ``transmit`` answer when the descriptor is not ready, and when the peer is gone.
NOT_YET, BROKEN = -1, -2

_inbox = bytearray(INBOX)
_found: list[tuple[int, int]] = []


def receive(fd: int) -> int:
    """Read into the inbox; the bytes read, 0 at the end of the stream."""
    try:
        return os.readv(fd, [_inbox])
    except BlockingIOError:
        return NOT_YET
    except OSError:
        return BROKEN


def inbox_length() -> int:
    """The first four bytes of the inbox as a number."""
    return int.from_bytes(_inbox[:4], "big", signed=True)


def inbox_frame(size: int) -> Source:
    """The message in the inbox behind its length: to be read before anything else is received."""
    return view_source(_inbox, 4, size)


def inbox_bytes(size: int) -> bytes:
    return bytes(memoryview(_inbox)[:size])


def transmit(fd: int, sink: Sink, offset: int, more: bool) -> int:
    """Send what was put into a sink, from ``offset`` on; the bytes sent. ``more``: the end of the stream follows."""
    sock = socket(fileno=fd)
    try:
        with sink.getbuffer() as data, data[offset:] as rest:
            return sock.send(rest, MSG_NOSIGNAL | (MSG_MORE if more else 0))
    except BlockingIOError:
        return NOT_YET
    except OSError:
        return BROKEN
    finally:
        sock.detach()


def has_left(fd: int) -> bool:
    """Has the peer closed its side, with nothing left to read?"""
    sock = socket(fileno=fd)
    try:
        return sock.recv(1, MSG_PEEK | MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        sock.detach()


def find(epoll: Any, most: int) -> int:
    """Ask epoll for what is ready now, at the most so many; how many there are."""
    _found[:] = epoll.poll(0, most)
    return len(_found)


def found_fd(index: int) -> int:
    return _found[index][0]


def found_mask(index: int) -> int:
    return _found[index][1]
