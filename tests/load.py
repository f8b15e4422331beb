"""Load from clients that keep their connections: each reply is checked, each lost call and dropped connection counted.

Raw sockets and frames made beforehand, one epoll loop in one thread: what is measured is the server.
"""

from __future__ import annotations

import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple, Self

from tests.harness import PATIENCE, Listening
from tests.server.raw import REPLY, add, field, framed, i32, message
from tests.speech import Voice

#: What ``add(20, 22)`` is answered with, but for the sequence number.
_NAME = b"add"
_BODY = field(8, 0, i32(42)) + b"\0"
_FRAMES = 64


def _reply(seqid: int) -> bytes:
    head = struct.pack(">Hxbi", 0x8001, REPLY, len(_NAME))
    return framed(head + _NAME + struct.pack(">i", seqid) + _BODY)


class Lost(NamedTuple):
    """A call that was not answered: from which of our addresses it came, its number, and when it was found lost."""

    peer: str
    seqid: int
    when: float
    """Seconds since 1970, as the server's log has them."""


class Lines:
    """What is said in one dialect: requests by their numbers, and what each is answered with."""

    def __init__(self, requests: list[bytes], replies: list[bytes]) -> None:
        self.requests = requests
        self.replies = replies

    @classmethod
    def framed(cls) -> Lines:
        return cls(
            [message("add", add(20, 22), seqid=number) for number in range(_FRAMES)], list(map(_reply, range(_FRAMES)))
        )

    @classmethod
    def of(cls, voice: Voice, where: tuple[str, int]) -> Lines:
        """In any dialect: the answers are asked for while all is quiet, and read by the library that speaks it."""
        requests = [voice.add(20, 22, number) for number in range(_FRAMES)]
        replies = []
        with socket.create_connection(where, PATIENCE) as sock:
            for number, request in enumerate(requests):
                sock.sendall(request)
                answer = b""
                while (found := voice.reply(answer)) is None:
                    chunk = sock.recv(4096)
                    assert chunk, f"{voice.dialect}: the server hung up after {answer!r}"
                    answer += chunk
                assert (found.seqid, found.value, found.size) == (number, 42, len(answer)), found
                replies.append(answer)
        return cls(requests, replies)


class Client:
    """One connection with one call under way at a time."""

    def __init__(self, where: tuple[str, int], lines: Lines, tls: ssl.SSLContext | None = None) -> None:
        self.lines = lines
        self.sock = socket.create_connection(where, PATIENCE)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
        self.name = "{}:{}".format(*self.sock.getsockname()[:2])
        self.received = b""
        self.seqid = 0


class Load:
    """``with Load(server, 16) as load: ...``: afterwards ``calls``, ``lost``, ``dropped`` and ``wrong`` are final.

    ``lost`` are the calls whose connection ended before they were answered. With ``reconnect`` such a connection is
    made anew, so that the load goes on. ``voices`` take turns: without any, all connections speak framed binary; they
    are not for ``tls``.
    """

    def __init__(
        self,
        server: Listening,
        connections: int,
        *,
        reconnect: bool = False,
        voices: Sequence[Voice] = (),
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.calls = 0
        self.lost: list[Lost] = []
        self.dropped = 0
        self.wrong: list[bytes] = []
        self.refused = 0
        self._where = (server.host, server.port)
        self._reconnect = reconnect
        self._tls = tls
        self._stop = threading.Event()
        spoken = [Lines.of(voice, self._where) for voice in voices] or [Lines.framed()]
        made = [Client(self._where, spoken[number % len(spoken)], tls) for number in range(connections)]
        self._clients = {client.sock.fileno(): client for client in made}
        self._epoll = select.epoll()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        for client in self._clients.values():
            self._begin(client)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Let every call under way be answered, then hang up."""
        self._stop.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), f"calls of {[each.name for each in self._clients.values()]} unanswered"

    def clean(self) -> bool:
        return not (self.lost or self.dropped or self.wrong or self.refused)

    def __repr__(self) -> str:
        return (
            f"{self.calls} calls, {len(self.lost)} lost, {self.dropped} dropped, {len(self.wrong)} wrong "
            f"{self.wrong[:1]}, {self.refused} refused"
        )

    def _begin(self, client: Client) -> None:
        self._epoll.register(client.sock.fileno(), select.EPOLLIN)
        self._send(client)

    def _run(self) -> None:
        while self._clients:
            for fd, _ in self._epoll.poll(PATIENCE):
                self._on_ready(self._clients[fd])

    def _send(self, client: Client) -> None:
        client.seqid = (client.seqid + 1) % _FRAMES
        try:
            client.sock.sendall(client.lines.requests[client.seqid])
        except OSError:
            self._end(client, lost=True)

    def _on_ready(self, client: Client) -> None:
        try:
            data = client.sock.recv(4096)
        except OSError:
            data = b""
        if not data:
            return self._end(client, lost=True)
        client.received += data
        expected = client.lines.replies[client.seqid]
        if len(client.received) < len(expected):
            return None
        self.calls += 1
        if client.received != expected:
            self.wrong.append(client.received)
        client.received = b""
        return self._end(client, lost=False) if self._stop.is_set() else self._send(client)

    def _end(self, client: Client, *, lost: bool) -> None:
        self._epoll.unregister(client.sock.fileno())
        del self._clients[client.sock.fileno()]
        client.sock.close()
        if not lost:
            return
        self.lost.append(Lost(client.name, client.seqid, time.time()))
        self.dropped += 1
        if self._reconnect and not self._stop.is_set():
            try:
                fresh = Client(self._where, client.lines, self._tls)
            except OSError:
                self.refused += 1
            else:
                self._clients[fresh.sock.fileno()] = fresh
                self._begin(fresh)


class Newcomers:
    """``with Newcomers(server) as newcomers: ...``: connects, makes one call, hangs up, and again, until the end."""

    def __init__(self, server: Listening, tls: ssl.SSLContext | None = None) -> None:
        self.served = 0
        self.failures: list[str] = []
        self._where = (server.host, server.port)
        self._tls = tls
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        lines = Lines.framed()
        request, reply = lines.requests[1], lines.replies[1]
        while not self._stop.is_set():
            try:
                client = Client(self._where, lines, self._tls)
                with client.sock as sock:
                    sock.sendall(request)
                    answer = b""
                    while len(answer) < len(reply) and (chunk := sock.recv(len(reply) - len(answer))):
                        answer += chunk
                    assert answer == reply, answer
            except (OSError, AssertionError) as error:
                self.failures.append(repr(error))
            else:
                self.served += 1
