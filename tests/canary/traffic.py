"""Clients of the shop that keep their connections, a thread each: they call in turn, and count what they are told."""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from typing import Self

from tests.harness import PATIENCE, Listening
from tests.server.raw import Peer, field, i32, message

#: Seconds between a client's calls, so that its connection is idle now and then and may be moved.
PAUSE = 0.002


class Traffic:
    """``with Traffic(server, 12) as traffic: ...``: ``answers`` by method and kind, ``dropped`` connections."""

    def __init__(self, server: Listening, clients: int) -> None:
        self.answers: Counter[str] = Counter()
        self.dropped = 0
        self._server = server
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._call, args=(each,), daemon=True) for each in range(clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(PATIENCE)
            assert not thread.is_alive(), "a call was never answered"

    def _call(self, first: int) -> None:
        peer = Peer(self._server)
        for number in itertools.count(first):
            if self._over.wait(PAUSE):
                break
            method = ("price", "name")[number % 2]
            try:
                answer = peer.ask(message(method, field(8, 1, i32(number // 2)) + b"\0"))
            except OSError:
                answer = None
            with self._lock:
                self.answers[f"{method} {answer.kind if answer else 'lost'}"] += 1
                self.dropped += answer is None
            if answer is None:
                peer.sock.close()
                peer = Peer(self._server)
        peer.sock.close()
