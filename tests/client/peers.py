"""Servers that misbehave, for tests of the client: a script for each connection, run on a thread."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from struct import pack
from typing import Self

from tests.harness import PATIENCE

#: What a server does with one connection.
Script = Callable[[socket.socket], None]


class Peer:
    """Listens; the n-th connection is served by the n-th script, further ones by the last."""

    def __init__(self, *scripts: Script) -> None:
        self._scripts = scripts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self._socks: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        for sock in self._socks:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)

    def hang_up(self) -> None:
        """End all connections that there are."""
        for sock in self._socks:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the listener is closed at the end
            while True:
                sock = self._listener.accept()[0]
                self._socks.append(sock)
                script = self._scripts[min(self.connections, len(self._scripts) - 1)]
                self.connections += 1
                thread = threading.Thread(target=self._run, args=(script, sock), daemon=True)
                thread.start()
                self._threads.append(thread)

    def _run(self, script: Script, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):  # the client may leave at any time
            script(sock)


def take(sock: socket.socket) -> tuple[str, int]:
    """The next request: its method and its number. OSError at the end."""
    size = int.from_bytes(_exactly(sock, 4), "big")
    frame = _exactly(sock, size)
    length = int.from_bytes(frame[4:8], "big")
    return frame[8 : 8 + length].decode(), int.from_bytes(frame[8 + length : 12 + length], "big")


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += (more := sock.recv(size - len(data)))
        if not more:
            raise OSError("the client has left")
    return data


def reply(name: str, seqid: int, value: int = 7, kind: int = 2) -> bytes:
    """A frame that holds an i32 result."""
    body = b"\x80\x01\x00" + bytes([kind]) + pack(">i", len(name)) + name.encode() + pack(">i", seqid)
    body += b"\x08\x00\x00" + pack(">i", value) + b"\x00"
    return pack(">i", len(body)) + body


def answer(sock: socket.socket) -> None:
    """Answer every request well."""
    while True:
        sock.sendall(reply(*take(sock)))
