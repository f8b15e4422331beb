"""One client's connection as a small state machine: bytes in, frames through the processor, replies out.

It owns a non-blocking socket and no greenlet, so that an idle connection is this object and nothing more. Which
descriptors are watched, and for what, is its pool's business; what a frame means is the processor's.
"""

from __future__ import annotations

import select
import socket
from typing import Protocol

from thriftserver.codec.framing import Framer, Unframed
from thriftserver.errors import WireError
from thriftserver.rpc.processor import Processor

#: Bytes asked for in one read; a frame that is larger takes several.
READ_SIZE = 65_536

READABLE = select.POLLIN
WRITABLE = select.POLLOUT


class Pool(Protocol):
    """What a connection needs of the loop it lives in."""

    processor: Processor
    draining: bool

    def watch(self, connection: Connection, mask: int) -> None:
        """Wait for ``mask``; 0 leaves the connection out of the set until it is watched again."""

    def forget(self, connection: Connection) -> None:
        """The connection is about to be closed."""

    def again(self, connection: Connection) -> None:
        """Call ``on_ready`` once more, after the others had their turn."""

    def complain(self, connection: Connection, error: WireError) -> None:
        """The peer sent something after which nothing can be read."""


class Connection:
    """States: waiting for bytes; serving (``busy``: a handler may be waiting); flushing (``_unsent``); closed.

    Frames are answered in order, one at a time. While a reply does not leave, nothing is read, so a peer that does not
    read its replies holds one reply and one read's worth of frames.
    """

    __slots__ = ("_framer", "_frames", "_pool", "_unsent", "busy", "fd", "peer", "sock", "watched")

    def __init__(self, sock: socket.socket, peer: str, pool: Pool, max_frame: int) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.peer = peer
        self.busy = False
        self.watched = 0
        self._pool = pool
        self._framer = Framer(max_frame)
        self._frames: list[tuple[bytes, int]] = []
        self._unsent: memoryview | None = None

    def on_ready(self, _mask: int) -> None:
        """The descriptor is ready, or may be."""
        if self.busy:  # more bytes while a handler runs: look again when it is done, and do not spin until then
            self._pool.watch(self, 0)
        elif self._unsent is not None:
            self._flush(self._unsent)
        else:
            self._read()

    def _read(self) -> None:
        try:
            data = self.sock.recv(READ_SIZE)
        except BlockingIOError:
            if self._pool.draining and not self._framer.waiting:
                self.close()
            return
        except OSError:
            data = b""
        if data:
            self._serve(self._framer.feed(data))
        else:
            self.close()

    def _serve(self, frames: list[tuple[bytes, int]]) -> None:
        """Answer the frames in order, until one reply does not leave at once."""
        process = self._pool.processor.process
        for index, (frame, start) in enumerate(frames, 1):
            self.busy = True
            try:
                reply = process(frame, start)
            except WireError as error:
                self._fail(error)
                return
            finally:
                self.busy = False
            if self.fd < 0:
                return
            if reply is not None and not self._send(reply):
                self._frames = frames[index:]
                return
        if self._framer.broken is not None:
            self._fail(self._framer.broken)
            return
        if self.watched != READABLE:
            self._pool.watch(self, READABLE)
        if self._pool.draining:
            self._pool.again(self)

    def _send(self, reply: bytes | memoryview) -> bool:
        """Is all of it on its way? If not, the rest is kept and the descriptor watched, or the connection is closed."""
        try:
            sent = self.sock.send(reply)
        except BlockingIOError:
            sent = 0
        except OSError:
            self.close()
            return False
        if sent == len(reply):
            return True
        self._unsent = memoryview(reply)[sent:]
        self._pool.watch(self, WRITABLE)
        return False

    def _flush(self, rest: memoryview) -> None:
        """Send what is left of a reply, then go on where it stopped the frames behind it."""
        self._unsent = None
        if self._send(rest):
            frames, self._frames = self._frames, []
            self._serve(frames)

    def _fail(self, error: WireError) -> None:
        """Nothing after this can be read: say what the peer would understand, and hang up."""
        self._pool.complain(self, error)
        if isinstance(error, Unframed) and error.answer and self.fd >= 0:
            self._send(error.answer)
        self.close()

    def close(self) -> None:
        """Leave the set first: a closed descriptor's number may be a new connection's a moment later."""
        if self.fd < 0:
            return
        self._pool.forget(self)
        self.fd = -1
        self.sock.close()
