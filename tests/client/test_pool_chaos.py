"""Threads and servers that do anything at any time: no answer is another call's, nothing is done twice that must not
be, and afterwards a pool has all of its seats and no connection too many."""

from __future__ import annotations

import random
import socket
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest

import thriftserver
from tests.client.peers import Peer, reply
from tests.client.test_pool import error, eventually
from tests.harness import PATIENCE
from thriftserver.errors import ApplicationError, TransportError
from thriftserver.wire import Application

IDL = "service S { i32 echo(1: i32 n) (thriftserver.idempotent), i32 once(1: i32 n) }"
API: Any = thriftserver.load("/chaos/s.thrift", files={"/chaos/s.thrift": IDL})
THREADS, CALLS = 8, 150


def asked(sock: socket.socket) -> tuple[str, int, int]:
    """The next request: its method, its number, and its argument."""
    data = b""
    while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], "big"):
        data += (more := sock.recv(1 << 16))
        if not more:
            raise OSError("the client has left")
    length = int.from_bytes(data[8:12], "big")
    rest = data[12 + length :]
    argument = int.from_bytes(rest[7:11], "big") if rest[4:5] == b"\x08" else 0
    return data[12 : 12 + length].decode(), int.from_bytes(rest[:4], "big"), argument


class Fool:
    """A server whose behaviour is a matter of chance."""

    def __init__(self, seed: int, done: Counter[int]) -> None:
        self.chance = random.Random(seed)
        self.done = done
        self.lock = threading.Lock()
        self.calm = False

    def __call__(self, sock: socket.socket) -> None:
        while True:
            name, seqid, number = asked(sock)
            with self.lock:
                mood = 1.0 if self.calm else self.chance.random()
                wait = self.chance.random() * 0.02
            if name == "__probe__":
                sock.sendall(error(name, seqid, Application.UNKNOWN_METHOD))
                continue
            if mood < 0.04:
                return  # before it is done
            if mood < 0.12:
                sock.sendall(error(name, seqid, Application.LOADSHEDDING))
                continue
            if name == "once":
                with self.lock:
                    self.done[number] += 1
            if mood < 0.15:
                return  # when it is done
            if mood < 0.18:
                sock.sendall(reply(name, seqid, number)[:9])
                return
            if mood < 0.30:
                threading.Event().wait(wait)
            sock.sendall(reply(name, seqid, number))
            if mood < 0.33:
                return


@pytest.mark.parametrize("options", [{}, {"hedge": 0.004}, {"attempt_timeout": 0.01}, {"max_age": 0.01, "hedge": 0.01}])
@pytest.mark.parametrize("seed", range(3))
def test_chaos(seed: int, options: dict[str, float]) -> None:
    done: Counter[int] = Counter()
    fools = [Fool(seed * 10 + number, done) for number in range(3)]
    with ExitStack() as stack:
        peers = [stack.enter_context(Peer(fool)) for fool in fools]
        names = [f"127.0.0.1:{peer.port}" for peer in peers]
        pool = stack.enter_context(
            API.S.Pool(names, timeout=PATIENCE, size=5, eject_after=3, eject_for=0.02, retries=1.0, **options)
        )

        def work(thread: int) -> list[int]:
            lost = []
            for number in range(thread * CALLS, thread * CALLS + CALLS):
                method = pool.echo if number % 2 else pool.once
                try:
                    assert method(number) == number
                except TransportError as failure:
                    if not failure.executed or number % 2:
                        lost.append(number)
                except ApplicationError:
                    lost.append(number)
            return lost

        with ThreadPoolExecutor(THREADS) as threads:
            lost = [number for each in threads.map(work, range(THREADS)) for number in each]
        assert len(lost) <= 0.02 * THREADS * CALLS, "three times lost, by chance"
        assert max(done.values()) == 1
        for fool in fools:
            fool.calm = True
        eventually(lambda: not any(each.in_flight for each in pool.stats().servers))
        assert len(pool.__shell__.seats.free) == 5
        assert pool.stats().calls == THREADS * CALLS
        for endpoint in pool.__shell__.pooling.balance.endpoints:
            assert set(endpoint.idle) == endpoint.held
            assert len(endpoint.idle) == len(endpoint.held)
            assert len(endpoint.idle) <= 10
        assert {pool.once(10**6 + number) for number in range(50)} == {10**6 + number for number in range(50)}
