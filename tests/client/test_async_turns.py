"""Tasks that share an AsyncClient: calls go one after the other, and what becomes of one is no other's trouble."""

from __future__ import annotations

import asyncio
import random
import re
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.client.peers import Peer, answer, reply, take
from tests.client.shells import Run
from tests.harness import PATIENCE, Server
from thriftserver.errors import TransportError

IDL = "service S { i32 ping(), oneway void note(1: binary data), i32 put(1: binary data) }"
API: Any = thriftserver.load("/turns/s.thrift", files={"/turns/s.thrift": IDL})
SHORT = 0.3
BIG = bytes(64 << 20)


def client(peer: Peer, timeout: float | None = PATIENCE) -> Any:
    return API.S.AsyncClient("127.0.0.1", peer.port, timeout=timeout)


async def happened(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, PATIENCE)


class Gate:
    """A server that answers, with the number of the connection, once it is told to.

    ``left`` is set when a client is gone.
    """

    def __init__(self) -> None:
        self.asked, self.open, self.left = threading.Event(), threading.Event(), threading.Event()
        self.methods: list[str] = []
        self.connections = 0

    def __call__(self, sock: socket.socket) -> None:
        self.connections += 1
        number = self.connections
        try:
            while True:
                name, seqid = take(sock)
                self.methods.append(name)
                self.asked.set()
                self.open.wait(PATIENCE)
                sock.sendall(reply(name, seqid, value=number))
        finally:
            self.left.set()


def test_calls_go_in_the_order_in_which_they_are_made(run: Run) -> None:
    gate = Gate()

    async def main() -> None:
        with Peer(gate) as peer:
            async with client(peer) as it:
                names = ["ping", "put", "put", "ping", "put", "ping"]
                tasks = [asyncio.create_task(getattr(it, name)(*[b""] * (name == "put"))) for name in names]
                await happened(gate.asked)
                gate.open.set()
                assert await asyncio.gather(*tasks) == [1] * len(names)
                assert gate.methods == names

    run(main)


def test_waiting_for_its_turn_is_part_of_a_call_s_time(run: Run) -> None:
    gate = Gate()

    async def main() -> None:
        with Peer(gate) as peer:
            async with client(peer) as it:
                first = asyncio.create_task(it.ping())
                await happened(gate.asked)
                with thriftserver.deadline(SHORT), pytest.raises(TransportError) as caught:
                    await it.ping()
                text = rf"ping at 127\.0\.0\.1:{peer.port}: timed out after 0\.[23]\d* s while waiting for its turn"
                assert re.fullmatch(text, str(caught.value))
                assert (caught.value.phase, caught.value.executed) == ("queueing", False)
                gate.open.set()
                assert await first == 1
                assert await it.ping() == 1
                assert len(gate.methods) == 2

    run(main)


def test_who_is_cancelled_while_waiting_harms_nobody(run: Run) -> None:
    gate = Gate()

    async def main() -> None:
        with Peer(gate) as peer:
            async with client(peer) as it:
                tasks = [asyncio.create_task(it.ping()) for _ in range(5)]
                await happened(gate.asked)
                tasks[1].cancel()
                tasks[3].cancel()
                await asyncio.sleep(0)
                gate.open.set()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
                assert [each if isinstance(each, int) else type(each) for each in ended] == [
                    1,
                    asyncio.CancelledError,
                    1,
                    asyncio.CancelledError,
                    1,
                ]
                assert len(gate.methods) == 3

    run(main)


def test_who_is_cancelled_in_the_moment_in_which_its_turn_comes_passes_it_on(run: Run) -> None:
    gate = Gate()

    async def main() -> None:
        with Peer(gate) as peer:
            async with client(peer) as it:

                async def first() -> None:
                    await it.ping()
                    second.cancel()  # its turn has come just now, and it has not run since

                one = asyncio.create_task(first())
                await happened(gate.asked)
                second, third = asyncio.create_task(it.ping()), asyncio.create_task(it.put(b""))
                await asyncio.sleep(0)
                gate.open.set()
                await one
                assert await third == 1
                with pytest.raises(asyncio.CancelledError):
                    await second
                assert gate.methods == ["ping", "put"]

    run(main)


def test_who_is_cancelled_under_way_closes_the_connection_and_the_next_makes_one(run: Run) -> None:
    gate = Gate()

    async def main() -> None:
        with Peer(gate) as peer:
            async with client(peer) as it:
                first, second = asyncio.create_task(it.ping()), asyncio.create_task(it.ping())
                await happened(gate.asked)
                first.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await first
                gate.open.set()  # the answer to the first one is still sent
                assert await second == 2
                await happened(gate.left)

    run(main)


@pytest.mark.parametrize(("method", "data"), [("put", BIG), ("note", BIG)])
def test_who_is_cancelled_half_sent_closes_the_connection(run: Run, method: str, data: bytes) -> None:
    begun, go, ended = threading.Event(), threading.Event(), threading.Event()

    def half(sock: socket.socket) -> None:
        sock.recv(1)
        begun.set()
        go.wait(PATIENCE)
        size = 1
        while data := sock.recv(1 << 20):
            size += len(data)
        assert size < len(BIG), "not all of it"
        ended.set()

    async def main() -> None:
        with Peer(half, answer) as peer:
            async with client(peer) as it:
                task = asyncio.create_task(getattr(it, method)(data))
                await happened(begun)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                go.set()
                assert await it.ping() == 7
                await happened(ended)

    run(main)


def test_who_is_cancelled_while_the_answer_comes_closes_the_connection(run: Run) -> None:
    def half(sock: socket.socket) -> None:
        sock.sendall(reply(*take(sock))[:10])
        ended.set() if sock.recv(1) == b"" else None

    ended = threading.Event()

    async def main() -> None:
        with Peer(half, answer) as peer:
            async with client(peer) as it:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(SHORT):
                        await it.ping()
                await happened(ended)
                assert await it.ping() == 7

    run(main)


def test_who_is_cancelled_while_connecting_leaves_nothing(run: Run) -> None:
    async def main() -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            host, port = full.getsockname()
            waiting = [socket.socket() for _ in range(3)]  # more than the kernel queues: the next SYN is dropped
            for sock in waiting:
                sock.setblocking(False)
                sock.connect_ex((host, port))
            it = API.S.AsyncClient(host, port, timeout=PATIENCE)
            tasks = [asyncio.create_task(it.ping()) for _ in range(2)]
            await asyncio.sleep(SHORT)
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            assert [type(each) for each in ended] == [asyncio.CancelledError] * 2
            for sock in waiting:
                sock.close()
            await it.aclose()

    run(main)


def test_aclose_ends_what_is_under_way_and_what_waits(run: Run) -> None:
    gate = Gate()

    async def main() -> None:
        with Peer(gate) as peer:
            it = client(peer)
            tasks = [asyncio.create_task(it.ping()) for _ in range(3)]
            await happened(gate.asked)
            await it.aclose()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
            where = f"ping at 127.0.0.1:{peer.port}: the client was closed while waiting for "
            assert list(map(str, ended)) == [where + "the reply", where + "its turn", where + "its turn"]
            assert [each.executed for each in ended] == [True, False, False]
            gate.open.set()
            await happened(gate.left)
            assert await it.ping() == 2, "it can be used again, as others can"
            await it.aclose()
            await it.aclose()

    run(main)


def test_aclose_while_connecting(run: Run) -> None:
    async def main() -> None:
        with Peer(answer) as peer:
            it = client(peer)
            task = asyncio.create_task(it.ping())
            await asyncio.sleep(0)
            await it.aclose()
            with pytest.raises(TransportError, match="the client was closed while connecting") as caught:
                await task
            assert not caught.value.executed
            assert await it.ping() == 7
            await it.aclose()

    run(main)


def test_a_server_that_hangs_up_or_speaks_unasked_is_left_at_once(run: Run) -> None:
    gone = [threading.Event(), threading.Event()]

    def speaks(sock: socket.socket) -> None:
        sock.sendall(reply(*take(sock)))
        told.wait(PATIENCE)
        sock.sendall(reply("ping", 2, value=666))
        assert sock.recv(1) == b""
        gone[0].set()

    def hangs_up(sock: socket.socket) -> None:
        sock.sendall(reply(*take(sock)))
        told.wait(PATIENCE)
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""
        gone[1].set()

    told = threading.Event()

    async def main() -> None:
        with Peer(speaks, hangs_up, answer) as peer:
            async with client(peer) as it:
                for number in range(2):
                    told.clear()
                    assert await it.ping() == 7
                    told.set()
                    await happened(gone[number])  # without another call
                assert await it.ping() == 7
                assert peer.connections == 3

    run(main)


def test_one_loop_after_another(run: Run) -> None:
    with Peer(answer) as peer:
        it = client(peer)

        async def main() -> None:
            assert await it.ping() == 7
            await it.aclose()

        run(main)
        run(main)
        assert peer.connections == 2


def test_a_loop_that_runs_keeps_its_client(run: Run) -> None:
    gate = Gate()

    async def main() -> None:
        with Peer(gate) as peer:
            async with client(peer) as it:
                task = asyncio.create_task(it.ping())
                await happened(gate.asked)
                with pytest.raises(RuntimeError, match="belongs to another event loop; each needs one"):
                    await asyncio.to_thread(asyncio.run, it.ping())
                gate.open.set()
                assert await task == 1

    run(main)


ECHO_IDL = "service Echo { i32 echo(1: i32 number, 2: double seconds), oneway void heard(1: i32 number), i32 count() }"
ECHO = """
import asyncio

class Echo:
    heard_of = 0
    async def echo(self, number, seconds):
        await asyncio.sleep(seconds)
        return number
    def heard(self, number): self.heard_of += 1
    def count(self): return self.heard_of
"""


@pytest.fixture(scope="module")
def echo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("echo")
    (folder / "echo.thrift").write_text(ECHO_IDL)
    (folder / "echo.py").write_text(ECHO)
    with Server("--idl", "echo.thrift", "--handler", "echo:Echo", "-w", "1", cwd=folder) as server:
        yield server


@pytest.mark.parametrize("seed", range(3))
def test_no_answer_is_taken_for_another_s(run: Run, echo: Server, seed: int, tmp_path: Path) -> None:
    """Hundreds of tasks on a few clients, cancelled and out of time at all moments: who is answered gets its own."""
    (tmp_path / "echo.thrift").write_text(ECHO_IDL)
    api: Any = thriftserver.load(tmp_path / "echo.thrift")
    chance = random.Random(seed)
    counts = dict.fromkeys(("right", "late", "cancelled"), 0)
    told = 0

    async def one(it: Any, number: int) -> None:
        nonlocal told
        await asyncio.sleep(chance.random() / 2)
        try:
            if chance.random() < 0.3:
                await it.heard(number)
                told += 1
                return
            async with asyncio.timeout(chance.choice([None, chance.random() / 10])):
                with thriftserver.deadline(chance.choice([PATIENCE, 0.02 + chance.random() / 5])):
                    assert await it.echo(number, chance.random() ** 4 / 20) == number
            counts["right"] += 1
        except TimeoutError:
            counts["cancelled"] += 1
        except TransportError as error:
            if "timed out after" not in str(error):
                raise
            counts["late"] += 1

    async def main() -> None:
        clients = [api.Echo.AsyncClient(echo.host, echo.port, timeout=PATIENCE) for _ in range(6)]
        before = await clients[0].count()
        async with asyncio.TaskGroup() as group:
            for number in range(600):
                group.create_task(one(clients[number % 6], number))
        assert all(counts.values()), counts
        for it in clients:
            assert await it.echo(-1, 0.0) == -1
        while await clients[0].count() < before + told:  # some were sent on connections that are closed by now
            await asyncio.sleep(0.01)
        assert await clients[0].count() == before + told
        for it in clients:
            await it.aclose()

    run(main)
