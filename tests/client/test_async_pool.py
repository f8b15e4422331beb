"""An AsyncPool where it is not as others: tasks that are cancelled, loops that end, and what it leaves behind.

What it has in common with ``Pool`` is tested in ``test_pool``.
"""

from __future__ import annotations

import asyncio
import random
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

import thriftserver
from tests.client.peers import Peer, answer, reply, take
from tests.client.shells import Run
from tests.harness import PATIENCE
from thriftserver.errors import TransportError

IDL = """
service S {
  i32 ping(),
  i32 get() (thriftserver.idempotent),
  i32 echo(1: i32 number)
}
"""
API: Any = thriftserver.load("/asyncpool/s.thrift", files={"/asyncpool/s.thrift": IDL})
SHORT = 0.3


def pool(*peers: Peer, **options: Any) -> Any:
    return API.S.AsyncPool([f"127.0.0.1:{peer.port}" for peer in peers], **{"timeout": PATIENCE, **options})


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not happened():
            await asyncio.sleep(0.005)


class Silent:
    """Takes calls and says nothing, until the client leaves."""

    def __init__(self) -> None:
        self.calls = self.gone = 0

    def __call__(self, sock: socket.socket) -> None:
        try:
            while True:
                take(sock)
                self.calls += 1
        finally:
            self.gone += 1


def test_a_call_that_is_cancelled_closes_its_connection_and_leaves_its_seat(run: Run) -> None:
    silent = Silent()

    async def main() -> None:
        with Peer(silent, answer) as peer:
            async with pool(peer, size=1) as it:
                first = asyncio.create_task(it.ping())
                await until(lambda: silent.calls == 1)
                second, third = asyncio.create_task(it.ping()), asyncio.create_task(it.ping())
                await until(lambda: it.stats().queued == 2)
                second.cancel()
                await asyncio.sleep(0)
                first.cancel()
                assert await third == 7
                ended = await asyncio.gather(first, second, return_exceptions=True)
                assert [type(each) for each in ended] == [asyncio.CancelledError] * 2
                await until(lambda: silent.gone == 1)
                stats = it.stats()
                assert (stats.servers[0].in_flight, stats.servers[0].idle, stats.servers[0].failed) == (0, 1, 0)

    run(main)


def test_a_race_that_is_cancelled_leaves_nothing(run: Run) -> None:
    one, other = Silent(), Silent()

    async def main() -> None:
        with Peer(one) as a, Peer(other) as b:
            async with pool(a, b, hedge=0.01) as it:
                task = asyncio.create_task(it.get())
                await until(lambda: one.calls == other.calls == 1)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                await until(lambda: one.gone == other.gone == 1)
                assert [each.in_flight for each in it.stats().servers] == [0, 0]
                assert len(asyncio.all_tasks()) == 1

    run(main)


def test_a_race_has_the_first_answer_and_ends_the_other_attempt(run: Run) -> None:
    silent = Silent()

    async def main() -> None:
        with Peer(silent) as a, Peer(answer) as b:
            async with pool(a, b, hedge=0.01) as it:
                while not it.stats().hedges_won:
                    assert await it.get() == 7
                await until(lambda: silent.gone == silent.calls)
                assert len(asyncio.all_tasks()) == 1

    run(main)


def test_the_end_of_a_pool(run: Run) -> None:
    go = threading.Event()

    def slow(sock: socket.socket) -> None:
        while True:
            name, seqid = take(sock)
            go.wait(PATIENCE)
            sock.sendall(reply(name, seqid))

    async def main() -> None:
        with Peer(slow) as peer:
            it = pool(peer, size=1)
            under_way, waits = asyncio.create_task(it.ping()), asyncio.create_task(it.ping())
            await until(lambda: it.stats().queued == 1)
            await it.aclose()
            with pytest.raises(RuntimeError, match="the pool is closed"):
                await waits
            with pytest.raises(RuntimeError, match="the pool is closed"):
                await it.ping()
            go.set()
            assert await under_way == 7
            assert it.stats().servers[0].idle == 0
            await it.aclose()

    run(main)


def test_a_pool_goes_from_one_loop_to_the_next(run: Run) -> None:
    with Peer(answer) as peer:
        it = pool(peer, size=2)

        async def main() -> None:
            assert await asyncio.gather(*(it.ping() for _ in range(4))) == [7] * 4
            for held in it.__shell__.pooling.balance.endpoints[0].idle:
                await held.channel.aclose()  # as a loop that ends should have it

        run(main)
        run(main)
        assert it.stats().calls == 8


def test_a_loop_that_runs_keeps_its_pool(run: Run) -> None:
    async def main() -> None:
        with Peer(answer) as peer:
            async with pool(peer) as it:
                assert await it.ping() == 7
                with pytest.raises(RuntimeError, match="belongs to another event loop; each needs one of its own"):
                    await asyncio.to_thread(asyncio.run, it.ping())

    run(main)


@pytest.mark.parametrize("seed", range(2))
def test_no_answer_is_taken_for_another_s(run: Run, seed: int) -> None:
    """Hundreds of tasks, cancelled and out of time at all moments, some attempts of which race: all seats come back."""
    chance = random.Random(seed)

    def uneven(sock: socket.socket) -> None:
        while True:
            size = int.from_bytes(sock.recv(4, socket.MSG_WAITALL), "big")
            frame = sock.recv(size, socket.MSG_WAITALL)
            name = frame[8 : 8 + int.from_bytes(frame[4:8], "big")].decode()
            seqid = int.from_bytes(frame[8 + len(name) : 12 + len(name)], "big")
            number = 7 if name == "get" else int.from_bytes(frame[-5:-1], "big")
            threading.Event().wait(number % 13 / 500)
            sock.sendall(reply(name, seqid, value=number))

    counts = dict.fromkeys(("right", "late", "cancelled"), 0)

    async def one(it: Any, number: int) -> None:
        await asyncio.sleep(chance.random() / 2)
        try:
            async with asyncio.timeout(chance.choice([None, None, chance.random() / 10])):
                with thriftserver.deadline(chance.choice([PATIENCE, PATIENCE, 0.02 + chance.random() / 10])):
                    if chance.random() < 0.3:
                        assert await it.get() == 7
                    else:
                        assert await it.echo(number) == number
            counts["right"] += 1
        except TimeoutError:
            counts["cancelled"] += 1
        except TransportError as error:
            if "timed out after" not in str(error):
                raise
            counts["late"] += 1

    async def main() -> None:
        with ExitStack() as stack:
            peers = [stack.enter_context(Peer(uneven)) for _ in range(3)]
            async with pool(*peers, size=8, hedge=0.002, eject_after=10**6) as it:
                async with asyncio.TaskGroup() as group:
                    for number in range(400):
                        group.create_task(one(it, number))
                assert all(counts.values()), counts
                assert sum(each.in_flight for each in it.stats().servers) == 0
                assert await asyncio.gather(*(it.echo(number) for number in range(16))) == list(range(16))
                assert it.__shell__.seats._free == 8

    run(main)
