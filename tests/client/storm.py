"""Calls through a pool from many threads, greenlets where gevent has patched these, or asyncio tasks:
``storm.py threads|tasks IDL HOST:PORT ...``.

It begins at once, and goes on until its input, which is a socket, ends. Then it says, one JSON line for each call that
was not answered well, what became of it; and in a last line how many calls there were. What the pool's log says goes to
the errors.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import socket
import sys
import threading
from typing import Any

import thriftserver
from thriftserver.errors import ApplicationError, TransportError

#: Threads or greenlets; seconds that a call may take, and an attempt of an idempotent one.
CROWD, TIMEOUT, ATTEMPT = 12, 5.0, 0.3


class Storm:
    def __init__(self, pool: Any) -> None:
        self.pool = pool
        self.over = threading.Event()
        self.ids = itertools.count()
        self.done = {"find": 0, "add": 0}
        self.failures: list[dict[str, Any]] = []
        self.lock = threading.Lock()

    def next(self) -> tuple[str, int]:
        number = next(self.ids)
        return "find" if number % 2 else "add", number

    def ended(self, method: str, number: int, answer: int | Exception) -> None:
        failure: dict[str, Any] | None = None
        if isinstance(answer, TransportError):
            failure = {"error": str(answer), "executed": answer.executed}
        elif isinstance(answer, ApplicationError):
            failure = {"error": str(answer), "executed": False}
        elif answer != number:
            failure = {"error": "the answer is another call's"}
        with self.lock:
            self.done[method] += 1
            if failure is not None:
                self.failures.append({"method": method, "id": number} | failure)

    def run(self) -> None:
        while not self.over.is_set():
            method, number = self.next()
            try:
                answer = getattr(self.pool, method)(number)
            except (TransportError, ApplicationError) as error:
                answer = error
            self.ended(method, number, answer)

    async def run_task(self) -> None:
        while not self.over.is_set():
            method, number = self.next()
            try:
                answer = await getattr(self.pool, method)(number)
            except (TransportError, ApplicationError) as error:
                answer = error
            self.ended(method, number, answer)

    def tell(self, seats: int) -> None:
        for failure in self.failures:
            print(json.dumps(failure))
        stats = self.pool.stats()
        facts = {"calls": stats.calls, "repeated": stats.repeated, "shed": sum(each.shed for each in stats.servers)}
        print(json.dumps(self.done | facts | {"seats": seats}))


def threads(pool: Any, order: socket.socket) -> None:
    with pool:
        storm = Storm(pool)
        crowd = [threading.Thread(target=storm.run) for _ in range(CROWD)]
        for each in crowd:
            each.start()
        order.recv(1)
        storm.over.set()
        for each in crowd:
            each.join()
        storm.tell(len(pool.__shell__.seats.free))


async def tasks(pool: Any, order: socket.socket) -> None:
    order.setblocking(False)
    async with pool, asyncio.TaskGroup() as crowd:
        storm = Storm(pool)
        running = [crowd.create_task(storm.run_task()) for _ in range(CROWD)]
        await asyncio.get_running_loop().sock_recv(order, 1)
        storm.over.set()
        await asyncio.wait(running)
        storm.tell(pool.__shell__.seats._free)


def main() -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    way, file, *servers = sys.argv[1:]
    api: Any = thriftserver.load(file)
    options = {"timeout": TIMEOUT, "attempt_timeout": ATTEMPT, "size": CROWD - 2, "eject_for": 0.3, "retries": 0.5}
    with socket.socket(fileno=sys.stdin.fileno()) as order:
        if way == "tasks":
            asyncio.run(tasks(api.Things.AsyncPool(servers, **options), order))
        else:
            threads(api.Things.Pool(servers, **options), order)


main()
