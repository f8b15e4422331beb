"""What only clients on a loop can do over TLS: be cancelled, call from many tasks at once, outlive their loop."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
from typing import Any

import pytest

import thriftserver
from tests.client.peers import Peer
from tests.client.shells import Run
from tests.harness import PATIENCE, Server
from tests.server.services import ARGS, IDL
from tests.tls.pki import Pki
from thriftserver import Tls

API: Any = thriftserver.load("/tls/demo.thrift", files={"/tls/demo.thrift": IDL})


def test_a_handshake_that_is_cancelled_leaves_no_connection(pki: Pki, run: Run) -> None:
    begun, ended = threading.Event(), threading.Event()

    def stall(sock: socket.socket) -> None:
        while sock.recv(1 << 16):
            begun.set()
        ended.set()

    async def main(port: int) -> None:
        it = API.Demo.AsyncClient("localhost", port, tls=Tls(ca=pki.folder / "ca.pem"))
        call = asyncio.create_task(it.pid())
        assert await asyncio.to_thread(begun.wait, PATIENCE)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await asyncio.to_thread(ended.wait, PATIENCE)
        await it.aclose()

    with Peer(stall) as peer:
        run(lambda: main(peer.port))


def test_calls_of_many_tasks_some_of_which_are_cancelled(pki: Pki, run: Run) -> None:
    """An answer that comes too late is nobody else's."""

    async def main(port: int) -> None:
        tls = Tls(ca=pki.folder / "ca.pem")
        async with API.Demo.AsyncPool("localhost", port, tls=tls, size=16, timeout=PATIENCE) as pool:

            async def one(number: int) -> None:
                if number % 5 == 0:
                    late = asyncio.create_task(pool.nap(0.05))
                    await asyncio.sleep(0.01)
                    late.cancel()
                    await asyncio.gather(late, return_exceptions=True)
                assert await pool.add(number, 1) == number + 1
                label = str(number) * 5_000
                assert (await pool.echo(API.Point(label=label))).label == label

            async with asyncio.TaskGroup() as group:
                for number in range(200):
                    group.create_task(one(number))

    with Server(*ARGS, *pki.options(), "-w", "1", cwd=pki.folder) as server:
        run(lambda: main(server.port))


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")  # uvloop would not end where that is an error
def test_a_client_goes_on_in_the_next_loop(pki: Pki, run: Run) -> None:
    with Server(*ARGS, *pki.options(), "-w", "1", cwd=pki.folder) as server:
        it = API.Demo.AsyncClient("localhost", server.port, tls=Tls(ca=pki.folder / "ca.pem"), timeout=PATIENCE)

        async def call() -> int:
            result: int = await it.add(20, 22)
            return result

        async def call_and_close() -> int:
            result = await call()
            await it.aclose()
            return result

        assert [run(call), run(call_and_close)] == [42, 42]
    gc.collect()  # what the first loop has left says so here, and not in a test that is about something else
