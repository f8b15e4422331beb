"""Several workers, one database: nothing is lost, nothing is done twice, and each sees what the others did."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from handlers.directory import api
from handlers.store import Entry, LoginTaken, Store
from tests.harness import PATIENCE, Server

WORKERS = 4
CLIENTS = 8
ROUNDS = 25


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    args = ("--idl", "idl/directory.thrift", "--handler", "handlers.directory:Directory", "--workers", str(WORKERS))
    with Server(*args, env={"DIRECTORY_DB": str(tmp_path / "directory.db")}) as server:
        yield server


def connect(server: Server) -> Any:
    return api.Directory.Client(server.host, server.port, timeout=PATIENCE)


def at_once(server: Server, work: Callable[[Any, int], Any]) -> list[Any]:
    """What ``work(client, number)`` returns for each of several clients that run at the same time."""

    def run(number: int) -> Any:
        with connect(server) as client:
            return work(client, number)

    with ThreadPoolExecutor(CLIENTS) as pool:
        return list(pool.map(run, range(CLIENTS)))


def test_a_login_is_given_once(server: Server) -> None:
    def work(client: Any, number: int) -> int:
        won = 0
        for index in range(ROUNDS):
            try:
                client.create(api.Profile(f"user{index}", f"{number}"))
            except api.AlreadyExists:
                continue
            won += 1
        return won

    assert sum(at_once(server, work)) == ROUNDS
    with connect(server) as client:
        assert client.statistics().users == ROUNDS


def test_no_update_is_lost(server: Server) -> None:
    with connect(server) as client:
        user = client.create(api.Profile("counter", "0"))

    def work(client: Any, _number: int) -> None:
        current = client.get(user.id)
        for _ in range(ROUNDS):
            while True:
                profile = api.Profile("counter", str(int(current.profile.name) + 1))
                try:
                    current = client.update(user.id, current.version, profile)
                    break
                except api.Conflict as conflict:
                    current = conflict.current

    at_once(server, work)
    with connect(server) as client:
        after = client.get(user.id)
    assert after.profile.name == str(CLIENTS * ROUNDS)
    assert after.version == 1 + CLIENTS * ROUNDS


def test_each_worker_sees_what_another_did(server: Server) -> None:
    """All workers but one are stopped, so that one must answer; then it is another one's turn."""
    workers = server.workers()
    assert len(workers) == WORKERS
    made: dict[int, Any] = {}
    for turn, pid in enumerate(workers):
        others = [other for other in workers if other != pid]
        for other in others:
            os.kill(other, signal.SIGSTOP)
        try:
            with connect(server) as client:
                assert client.about().worker == pid
                assert client.get_many(set(made)) == made
                user = client.create(api.Profile(f"user{turn}", "N"))
                made[user.id] = user
        finally:
            for other in others:
                os.kill(other, signal.SIGCONT)
    assert len(made) == WORKERS


def _open(path: str, go: Any, results: Any) -> None:
    """In a process of its own: open the store, and write once."""
    go.wait()
    try:
        store = Store(path)
        with contextlib.suppress(LoginTaken):
            store.add(Entry("first", "", 0, [], b""), 1)
        results.put(store.count())
        store.close()
    except BaseException as error:  # noqa: BLE001 - the parent has to hear of it, whatever it is
        results.put(repr(error))


def test_many_processes_create_the_database_at_once(tmp_path: Path) -> None:
    context = multiprocessing.get_context("forkserver")  # quick, and does not fork this process with its threads
    context.set_forkserver_preload([__name__])
    for attempt in range(5):
        go, results = context.Event(), context.Queue()
        path = str(tmp_path / f"{attempt}.db")
        processes = [context.Process(target=_open, args=(path, go, results)) for _ in range(8)]
        for process in processes:
            process.start()
        go.set()
        answers = [results.get(timeout=PATIENCE) for _ in processes]
        for process in processes:
            process.join(PATIENCE)
        assert answers == [({0: 1}, {})] * len(processes)
