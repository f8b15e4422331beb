"""The primitives under ``pump``, ``outgoing`` and ``parking``: reads, sends, and what epoll has found.

Their ``.pxd`` files have the C twins. Nothing here waits, and nothing here knows Thrift.
"""

from __future__ import annotations

import os

# The class beneath socket.socket: gevent's patch leaves it as it is, and this room must never wait.
from _socket import MSG_MORE, MSG_NOSIGNAL, socket
from collections.abc import Callable
from select import POLLERR, POLLHUP
from typing import Any

from gevent.monkey import get_original

from thriftserver.codec.memory import Sink

poll = get_original("select", "poll")
#: Which thread this is, whatever greenlet.
thread_number: Callable[[], int] = get_original("_thread", "get_ident")

#: Bytes of one read; a frame that is larger takes several.
INBOX = 65_536
#: What ``transmit`` answers when the descriptor is not ready, and when the peer is gone.
NOT_YET, BROKEN = -1, -2


def receive(fd: int) -> bytes | None:
    """What has arrived, as bytes of its own; none at the end of the stream, None when nothing is there yet.

    Raises OSError when the peer is gone.
    """
    try:
        return os.read(fd, INBOX)
    except BlockingIOError:
        return None


def transmit(fd: int, sink: Sink, offset: int, more: bool) -> int:
    """Send what was put into a sink, from ``offset`` on; the bytes sent. ``more``: the end of the stream follows."""
    sock = socket(fileno=fd)
    try:
        with sink.getbuffer() as data, data[sink.first + offset :] as rest:
            return sock.send(rest, MSG_NOSIGNAL | (MSG_MORE if more else 0))
    except BlockingIOError:
        return NOT_YET
    except OSError:
        return BROKEN
    finally:
        sock.detach()


def copied(sink: Sink) -> bytes:
    """What is to be sent, of a sink that goes on to be used."""
    return sink.getvalue()[sink.first :]


def utter(fd: int, data: bytes) -> None:
    """Send a few bytes; what the kernel does not take at once, nobody hears."""
    sock = socket(fileno=fd)
    try:
        sock.send(data, MSG_NOSIGNAL)
    except OSError:
        pass  # the next read tells
    finally:
        sock.detach()


def is_reset(fd: int) -> bool:
    """Is the peer gone for good, so that nothing that we send arrives? One that has closed its side only is not."""
    return bool(_poll(fd) & (POLLERR | POLLHUP))


def _poll(fd: int) -> int:
    watch = poll()
    watch.register(fd, 0)
    return sum(mask for _, mask in watch.poll(0))


def send_some(sock: socket, _fd: int, data: bytes, start: int) -> int:
    """Send what the kernel takes at once of ``data``, from ``start`` on; how many bytes. Raises OSError."""
    try:
        return sock.send(memoryview(data)[start:])
    except BlockingIOError:
        return 0


def receive_some(sock: socket, _fd: int, most: int) -> bytes | None:
    """What has arrived, up to so many bytes; none at the end of the stream, None when nothing is there yet.

    Raises OSError when the peer is gone.
    """
    try:
        return sock.recv(most)
    except BlockingIOError:
        return None


def find(epoll: Any, most: int) -> list[tuple[int, int]]:
    """Ask epoll for what is ready now, at the most so many."""
    return epoll.poll(0, most)  # type: ignore[no-any-return]


def found_count(found: list[tuple[int, int]]) -> int:
    return len(found)


def found_fd(found: list[tuple[int, int]], index: int) -> int:
    return found[index][0]


def found_mask(found: list[tuple[int, int]], index: int) -> int:
    return found[index][1]
