"""One client in a process of its own: ``python -m bench.clients NAME PORT``.

Reads lines ``METHOD COUNT``, makes that many calls to the server at this port, and answers with the CPU microseconds of
one, and how many more they are than of what it is measured over. What comes back is compared before anything is timed,
and again after the last call.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

from bench import servers, workload

HOST = "127.0.0.1"
METHODS = ("ping", "get_user")
#: Calls that an asyncio client has in flight at the same time, each on a connection of its own.
IN_FLIGHT = 64
#: Calls in a row of one of two that are measured in alternation.
BLOCK = 64

#: Makes that many calls; what the last one gave.
Run = Callable[[int], Any]


def repeated(call: Callable[..., Any], args: tuple[Any, ...]) -> Run:
    """A call of a client, again and again."""

    def run(count: int) -> Any:
        result = None
        for _ in range(count):
            result = call(*args)
        return result

    return run


def runs(client: Any) -> dict[str, Run]:
    return {"ping": repeated(client.ping, ()), "get_user": repeated(client.get_user, (workload.USER_ID,))}


def canned(port: int) -> dict[str, Run]:
    """No client: bytes that were made before, sent, and whatever comes back received."""
    sock = socket.create_connection((HOST, port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def exchange(request: bytes, size: int) -> Run:
        def run(count: int) -> bytes:
            reply = b""
            for _ in range(count):
                sock.sendall(request)
                reply = sock.recv(4096)
                assert len(reply) == size
            return reply

        return run

    frames = {name: [workload.frame(each[0]) for each in workload.requests()[name]] for name in METHODS}
    return {name: exchange(asked, len(answered)) for name, (asked, answered) in frames.items()}


def api() -> Any:
    import thriftserver

    return thriftserver.load(str(servers.IDL)).Bench


def thriftserver(port: int) -> dict[str, Run]:
    return runs(api().Client(HOST, port))


def thriftserver_timeout(port: int) -> dict[str, Run]:
    return runs(api().Client(HOST, port, timeout=30))


def thriftserver_pool(port: int) -> dict[str, Run]:
    return runs(api().Pool(HOST, port))


def thriftpy2(port: int) -> dict[str, Run]:
    """Its Cython protocol and transport; without frames, each of which would take it another receive."""
    import thriftpy2
    from thriftpy2.protocol import TCyBinaryProtocolFactory
    from thriftpy2.rpc import make_client
    from thriftpy2.transport import TCyBufferedTransportFactory

    module = thriftpy2.load(str(servers.IDL), module_name="bench_thrift")
    spoken, packed = TCyBinaryProtocolFactory(), TCyBufferedTransportFactory()
    return runs(make_client(module.Bench, HOST, port, proto_factory=spoken, trans_factory=packed, timeout=0))


def apache(port: int) -> dict[str, Run]:
    """Generated code over the accelerated protocol; without frames, for the same reason."""
    sys.path.insert(0, str(servers.BUILD / "gen-py"))
    from bench_gen import Bench
    from thrift.protocol.TBinaryProtocol import TBinaryProtocolAccelerated
    from thrift.transport.TSocket import TSocket
    from thrift.transport.TTransport import TBufferedTransport

    transport = TBufferedTransport(TSocket(HOST, port))
    transport.open()
    return runs(Bench.Client(TBinaryProtocolAccelerated(transport, fallback=False)))


def crowd(loop: asyncio.AbstractEventLoop, clients: list[Any]) -> dict[str, Run]:
    """All clients of an event loop at the same time, each with one call after the other."""

    async def some(call: Callable[..., Awaitable[Any]], args: tuple[Any, ...], count: int) -> Any:
        result = None
        for _ in range(count):
            result = await call(*args)
        return result

    def together(name: str, args: tuple[Any, ...]) -> Run:
        def run(count: int) -> Any:
            parts = [some(getattr(client, name), args, count // len(clients)) for client in clients]

            async def all_of_them() -> list[Any]:
                return await asyncio.gather(*parts)

            return loop.run_until_complete(all_of_them())[-1]

        return run

    return {"ping": together("ping", ()), "get_user": together("get_user", (workload.USER_ID,))}


def thriftserver_async(port: int) -> dict[str, Run]:
    loop = asyncio.new_event_loop()
    stack = AsyncExitStack()  # never left: the process ends with its connections open

    async def connect() -> list[Any]:
        return [await stack.enter_async_context(api().AsyncClient(HOST, port)) for _ in range(IN_FLIGHT)]

    return crowd(loop, loop.run_until_complete(connect()))


def thriftpy2_async(port: int) -> dict[str, Run]:
    """Its asyncio client, which has one call on a connection at a time; without a timeout, which would cost it more."""
    import thriftpy2
    from thriftpy2.contrib.aio.rpc import make_client

    module = thriftpy2.load(str(servers.IDL), module_name="bench_thrift")
    loop = asyncio.new_event_loop()

    async def connect() -> list[Any]:
        return [await make_client(module.Bench, HOST, port, timeout=None) for _ in range(IN_FLIGHT)]

    return crowd(loop, loop.run_until_complete(connect()))


class Row(NamedTuple):
    """A client: what connects it to a port, and the calls that it has in flight at a time.

    ``needs`` is what a service of ours has to have for it. What it costs more than ``over`` is too little to be seen
    beside the noise of two processes.
    """

    connect: Callable[[int], dict[str, Run]]
    in_flight: int = 1
    needs: str = ""
    over: Callable[[int], dict[str, Run]] | None = None


CLIENTS = {
    "canned": Row(canned),
    "thriftserver": Row(thriftserver, needs="Client"),
    "thriftserver_timeout": Row(thriftserver_timeout, needs="Client"),
    "thriftserver_pool": Row(thriftserver_pool, needs="Pool", over=thriftserver),
    "thriftpy2": Row(thriftpy2),
    "apache": Row(apache),
    "thriftserver_async": Row(thriftserver_async, IN_FLIGHT, needs="AsyncClient"),
    "thriftpy2_async": Row(thriftpy2_async, IN_FLIGHT),
}


def require_right(name: str, method: str, result: Any) -> None:
    """End the benchmark over a wrong result."""
    if name == "canned":
        expected: Any = workload.frame(workload.requests()[method][1][0])
    elif method == "ping":
        expected = None
    else:
        expected, result = workload.user(workload.USER_ID), plain(result)
    if result != expected:
        raise SystemExit(f"{name}: {method} gave {result!r} instead of {expected!r}")


def plain(user: Any) -> dict[str, Any]:
    """A user of any library as ``workload`` has it."""
    named = {name: getattr(user, name) for _, name, _ in workload.TABLES["User"]}
    named["address"] = {name: getattr(user.address, name) for _, name, _ in workload.TABLES["Address"]}
    return {name: value for name, value in named.items() if value is not None}


def timed(run: Run, count: int) -> tuple[float, Any]:
    """CPU microseconds of one call, in all threads, and the last result; the cyclic collector stays on."""
    begun = time.process_time_ns()
    result = run(count)
    return (time.process_time_ns() - begun) / 1e3 / count, result


def alternately(run: Run, over: Run, count: int) -> tuple[float, float, Any]:
    """The same, a block of calls of one after a block of the other: the cost of one, how much more that is than the
    other's, by the median of the blocks, which disturbance does not touch, and the last result.
    """
    costs: dict[Run, list[float]] = {run: [], over: []}
    for block in range(-(-count // BLOCK)):
        for each in (run, over) if block % 2 else (over, run):
            cost, result = timed(each, BLOCK)
            costs[each].append(cost)
    more = statistics.median(one - other for one, other in zip(*costs.values(), strict=True))
    return statistics.fmean(costs[run]), more, result


def main(name: str, port: int) -> None:
    row = CLIENTS[name]
    connected = [connect(port) for connect in (row.connect, row.over) if connect is not None]
    for methods in connected:
        for method, run in methods.items():
            require_right(name, method, run(IN_FLIGHT))
    gc.collect()
    gc.freeze()
    print("ready", flush=True)
    for line in sys.stdin:
        method, count = line.split()
        runs = [methods[method] for methods in connected]
        if row.over is None:
            *found, result = timed(runs[0], int(count))
        else:
            *found, result = alternately(*runs, int(count))
        require_right(name, method, result)
        print(*found, flush=True)
    os._exit(0)  # with its connections: an event loop would complain of them


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
