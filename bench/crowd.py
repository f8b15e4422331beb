"""Clients that a server must bear: slowloris, idle ones, and ones that ask for much and read nothing."""

from __future__ import annotations

import socket
import struct
import threading
from typing import Self

from bench import workload

#: How often each slowloris sends one byte more, in seconds.
DRIP = 1.0

_ESTABLISHED = 1


class Crowd:
    """All of them connected to a port, as long as the block runs."""

    def __init__(self, port: int, slow: int, idle: int, stalled: int) -> None:
        self._port = port
        self._counts = {"slowloris": slow, "idle": idle, "write-stalled": stalled}
        self._members: dict[str, list[socket.socket]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._drip)

    def _connect(self) -> socket.socket:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", self._port))
        client.setblocking(False)
        return client

    def _drip(self) -> None:
        """A byte from one slowloris after the other, evenly spread."""
        slow = self._members["slowloris"]
        frame = workload.frame(workload.requests()["batch"][0][0])
        sent = 0
        while slow and not self._stop.wait(DRIP / len(slow)):
            client, at = slow[sent % len(slow)], sent // len(slow)
            sent += 1
            try:
                client.send(frame[at : at + 1])
            except OSError:  # the server has had enough of it
                continue

    def _stall(self, client: socket.socket) -> None:
        """Ask for more than all buffers hold, and never read."""
        frame = workload.frame(workload.requests()["batch"][0][0])
        try:
            client.send(frame * 64)
        except OSError:
            return

    def connected(self) -> dict[str, int]:
        """How many of each kind the server still has."""
        return {
            kind: sum(_state(member) == _ESTABLISHED for member in members) for kind, members in self._members.items()
        }

    def __enter__(self) -> Self:
        self._members = {kind: [self._connect() for _ in range(n)] for kind, n in self._counts.items()}
        for client in self._members["write-stalled"]:
            self._stall(client)
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()
        for members in self._members.values():
            for member in members:
                member.close()


def _state(client: socket.socket) -> int:
    state: int = struct.unpack("B", client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1))[0]
    return state
