"""One connection of an AsyncClient when things come at odd moments, and what its loop does meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.client.peers import Peer, answer, reply, take
from tests.client.shells import Run
from tests.harness import PATIENCE
from tests.support import ROOT
from thriftserver.discovery.addresses import Address, read_address
from thriftserver.discovery.resolvers import register
from thriftserver.errors import TransportError

IDL = "service S { i32 ping(), oneway void note(1: binary data), i32 put(1: binary data) }"
API: Any = thriftserver.load("/timing/s.thrift", files={"/timing/s.thrift": IDL})
SHORT = 0.3
BIG = bytes(64 << 20)


def client(peer: Peer, timeout: float | None = PATIENCE) -> Any:
    return API.S.AsyncClient("127.0.0.1", peer.port, timeout=timeout)


def blocked_until(event: threading.Event) -> None:
    """The loop stands still meanwhile."""
    assert event.wait(PATIENCE)


def test_an_answer_before_the_end_of_the_request_is_one_and_the_connection_is_closed(run: Run) -> None:
    ended = threading.Event()

    def early(sock: socket.socket) -> None:
        sock.recv(1000)
        sock.sendall(reply("put", 1, value=3))
        while sock.recv(1 << 20):
            pass
        ended.set()

    async def main() -> None:
        with Peer(early, answer) as peer:
            async with client(peer) as it:
                assert await it.put(BIG) == 3
                assert await it.ping() == 7
                assert peer.connections == 2
                blocked_until(ended)

    run(main)


def test_what_a_server_said_before_it_broke_the_connection_is_heard(run: Run) -> None:
    """It answers and resets, after the loop has seen that the request can go on, and before it does."""
    drain, drained, speak, spoken = (threading.Event() for _ in range(4))

    def refuses(sock: socket.socket) -> None:
        sock.recv(1000)
        drain.wait(PATIENCE)
        with contextlib.suppress(BlockingIOError):
            while True:
                sock.recv(1 << 20, socket.MSG_DONTWAIT)
        drained.set()
        speak.wait(PATIENCE)
        sock.sendall(reply("put", 1, value=3))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()  # which is a reset
        spoken.set()

    def go_on() -> None:
        speak.set()
        blocked_until(spoken)

    async def main() -> None:
        with Peer(refuses, answer) as peer:
            async with client(peer) as it:
                task = asyncio.create_task(it.put(BIG))
                await asyncio.sleep(SHORT)
                drain.set()
                blocked_until(drained)
                asyncio.get_running_loop().call_soon(go_on)
                assert await task == 3
                assert await it.ping() == 7

    run(main)


def test_a_connection_that_broke_while_the_loop_was_busy_is_not_used(run: Run) -> None:
    closed = threading.Event()

    def once(sock: socket.socket) -> None:
        sock.sendall(reply(*take(sock)))
        sock.close()
        closed.set()

    async def main() -> None:
        with Peer(once, answer) as peer:
            async with client(peer) as it:
                assert await it.ping() == 7
                blocked_until(closed)
                assert await it.put(b"") == 7
                assert peer.connections == 2

    run(main)


def test_each_call_has_its_own_time_on_a_connection(run: Run) -> None:
    def slow(sock: socket.socket) -> None:
        while True:
            name, seqid = take(sock)
            if name == "put":
                threading.Event().wait(SHORT)
            sock.sendall(reply(name, seqid))

    async def main() -> None:
        with Peer(slow) as peer:
            async with client(peer) as it:
                with thriftserver.deadline(SHORT * 1.5):  # which ends while the next call is under way
                    assert await it.ping() == 7
                await asyncio.sleep(SHORT)
                with thriftserver.deadline(SHORT * 10):
                    assert await it.put(b"") == 7
                assert peer.connections == 1
                begun = time.monotonic()
                with (
                    thriftserver.deadline(SHORT / 2),
                    pytest.raises(TransportError, match=r"timed out after 0\.1\d* s"),
                ):
                    await it.put(b"")
                assert SHORT * 0.4 < time.monotonic() - begun < SHORT * 0.95
                assert await it.ping() == 7
                assert peer.connections == 2

    run(main)


def test_a_server_that_closes_what_it_accepts(run: Run) -> None:
    async def main() -> None:
        with Peer(lambda sock: None) as peer:
            async with client(peer) as it:
                for _ in range(3):
                    with pytest.raises(
                        TransportError, match=r"the server closed the connection while|broke while"
                    ) as caught:
                        await it.ping()
                    assert caught.value.address == f"127.0.0.1:{peer.port}"

    run(main)


def test_a_resolver_that_blocks_holds_nobody_up(run: Run) -> None:
    asked, go = threading.Event(), threading.Event()

    class Slow:
        def __init__(self, name: str) -> None:
            self._address = read_address(name.removeprefix("slow://"))

        def addresses(self, timeout: float | None) -> Sequence[Address]:
            asked.set()
            go.wait(PATIENCE)
            return [self._address]

    register("slow", Slow)

    async def main() -> None:
        with Peer(answer) as peer:
            slow = API.S.AsyncClient(f"slow://127.0.0.1:{peer.port}", timeout=PATIENCE)
            with thriftserver.deadline(SHORT), pytest.raises(TransportError) as caught:
                await slow.ping()
            assert re.fullmatch(r"timed out after 0\.[23]\d* s while resolving", str(caught.value))
            assert (caught.value.phase, caught.value.executed) == ("resolving", False)
            asked.clear()
            task = asyncio.create_task(slow.ping())
            while not asked.is_set():
                await asyncio.sleep(0.01)
            async with client(peer) as it:
                assert await it.ping() == 7
            go.set()
            assert await task == 7
            await slow.aclose()

    run(main)


def test_hosts_by_name(run: Run) -> None:
    async def main() -> None:
        with Peer(answer) as peer:
            async with API.S.AsyncClient("localhost", peer.port, timeout=PATIENCE) as it:
                assert await it.ping() == 7
            with pytest.raises(TransportError, match=r"cannot connect to nobody\.invalid:9090: ") as caught:
                await API.S.AsyncClient("nobody.invalid", timeout=PATIENCE).ping()
            assert caught.value.phase == "resolving"
            with pytest.raises(TransportError, match="cannot connect to") as caught:
                await API.S.AsyncClient("a" * 64 + ".invalid", timeout=PATIENCE).ping()
            assert not caught.value.executed

    run(main)


def test_sockets_in_the_file_system(run: Run, tmp_path: Path) -> None:
    path = str(tmp_path / "s.sock")

    async def main() -> None:
        it = API.S.AsyncClient(f"unix:{path}", timeout=PATIENCE)
        with pytest.raises(TransportError, match=f"cannot connect to unix:{path}: No such file") as caught:
            await it.ping()
        assert (caught.value.phase, caught.value.address) == ("connecting", f"unix:{path}")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            listener.listen()
            accepted: list[socket.socket] = []

            def serve() -> None:
                accepted.append(listener.accept()[0])
                accepted[0].sendall(reply(*take(accepted[0])))

            thread = threading.Thread(target=serve)
            thread.start()
            assert await it.ping() == 7
            thread.join(PATIENCE)
            accepted[0].close()
        await it.aclose()

    run(main)


FORKS = """
import asyncio, os, sys
import thriftserver

api = thriftserver.load("s.thrift")
it = api.S.AsyncClient("127.0.0.1", int(sys.argv[1]))

async def main():
    assert await it.ping() == 1
    child = os.fork()
    if not child:
        return
    assert os.waitpid(child, 0)[1] == 0
    assert await it.ping() == 1, "its connection is still its own"
    await it.aclose()
    print("well")

async def again():
    assert await it.ping() == 2
    await it.aclose()

pid = os.getpid()
try:
    asyncio.run(main())
finally:
    if os.getpid() != pid:
        code = 1
        try:
            asyncio.run(again())
            code = 0
        finally:
            os._exit(code)
"""


def test_a_forked_child_makes_a_connection_of_its_own(tmp_path: Path) -> None:
    number = iter(range(1, 100))

    def numbered(sock: socket.socket) -> None:
        mine = next(number)
        while True:
            sock.sendall(reply(*take(sock), value=mine))

    (tmp_path / "s.thrift").write_text(IDL)
    (tmp_path / "forks.py").write_text(FORKS)
    with Peer(numbered) as peer:
        done = subprocess.run(
            [sys.executable, "forks.py", str(peer.port)],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert (done.stdout, done.stderr, done.returncode) == ("well\n", "", 0)
