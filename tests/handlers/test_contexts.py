"""A call's context is its own, and so is all that was kept of it, though calls have one context after the other."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.harness import PATIENCE, Server

IDL = """
service Contexts {
  string keep(1: string who, 2: string how)
  string task(1: string who, 2: string how)
  string see(1: string who)
  list<string> kept()
  i32 drop()
}
"""

HANDLER = """
import concurrent.futures, contextvars, gevent.event, greenlet, threading, weakref
from contextvars import copy_context
import gevent
import thriftserver
from thriftserver.rpc.current import CURRENT

VARIABLE = contextvars.ContextVar("variable", default="")
MANY = [contextvars.ContextVar(f"variable {number}") for number in range(100)]
KEPT = []
GO = gevent.event.Event()
POOL = concurrent.futures.ThreadPoolExecutor(1)


def who_is():
    return thriftserver.current_call().args[0]

def set_many(who):
    for each in MANY:
        each.set(who)

def keep(who, context):
    KEPT.append((who, lambda: context.run(who_is)))

def waits(who):
    said = gevent.event.AsyncResult()
    def wait():
        GO.wait()
        said.set(who_is())
    return said, wait

class Impl:
    def keep(self, who, how):
        if how == "copy":
            keep(who, copy_context())
        elif how == "copy in which something is set":
            context = copy_context()
            context.run(VARIABLE.set, who)
            keep(who, context)
        elif how == "copy in which much is set":
            context = copy_context()
            context.run(set_many, who)
            keep(who, context)
        elif how == "copy of a copy":
            keep(who, copy_context().run(copy_context))
        elif how == "copy of a copy in which something is set":
            context = copy_context()
            context.run(VARIABLE.set, who)
            context = context.run(copy_context)
            context.run(set_many, who)
            keep(who, context)
        elif how == "set, then copy":
            VARIABLE.set(who)
            keep(who, copy_context())
        elif how == "set much, then copy":
            set_many(who)
            keep(who, copy_context())
        elif how == "set, copy, reset":
            token = VARIABLE.set(who)
            keep(who, copy_context())
            VARIABLE.reset(token)
        elif how == "set and reset":
            VARIABLE.reset(VARIABLE.set(who))
        elif how == "token":
            KEPT.append((who, lambda token=VARIABLE.set(who): who))
        elif how == "the context itself":
            keep(who, greenlet.getcurrent().gr_context)
        elif how == "a weak reference":
            context = weakref.ref(greenlet.getcurrent().gr_context)
            KEPT.append((who, lambda: who if context() is None else context().run(who_is)))
        elif how == "what it maps":
            found = dict(copy_context().items())
            KEPT.append((who, lambda: found[CURRENT].call.args[0]))
        elif how == "greenlet":
            said, wait = waits(who)
            gevent.spawn(wait)
            KEPT.append((who, said.get))
        elif how == "thread":
            said = []
            thread = threading.Thread(target=lambda: (GO.wait(), said.append(who_is())))
            thread.start()
            KEPT.append((who, lambda: (thread.join(), said[0])[1]))
        elif how == "pool":
            future = POOL.submit(lambda: (GO.wait(), who_is())[1])
            KEPT.append((who, future.result))
        elif how == "error":
            keep(who, copy_context())
            raise ValueError(who)
        elif how == "another context in its place":
            context = contextvars.Context()
            context.run(set_many, who)
            greenlet.getcurrent().gr_context = context
        return who_is()

    async def task(self, who, how):
        if how == "copy":
            keep(who, copy_context())
        elif how == "set":
            VARIABLE.set(who)
        return who_is()

    def see(self, who):
        gevent.sleep(0)
        return f"{who_is()} {VARIABLE.get()}"

    def kept(self):
        GO.set()
        return [f"{who} {tell()}" for who, tell in KEPT]

    def drop(self):
        KEPT.clear()
        GO.clear()
        return 0
"""
KINDS = [
    "nothing",
    "copy",
    "copy in which something is set",
    "copy in which much is set",
    "copy of a copy",
    "copy of a copy in which something is set",
    "set, then copy",
    "set much, then copy",
    "set, copy, reset",
    "set and reset",
    "token",
    "the context itself",
    "a weak reference",
    "what it maps",
    "greenlet",
    "thread",
    "pool",
    "error",
    "another context in its place",
]


@pytest.fixture(params=["native", "pure"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "contexts.thrift").write_text(IDL)
    (tmp_path / "contexts.py").write_text(HANDLER)
    env = {"THRIFTSERVER_PURE": "1" if request.param == "pure" else ""}
    with Server("--idl", "contexts.thrift", "--handler", "contexts:Impl", "-w", "1", cwd=tmp_path, env=env) as server:
        yield server


@pytest.fixture
def client(server: Server, tmp_path: Path) -> Iterator[Any]:
    api = thriftserver.load(tmp_path / "contexts.thrift")
    with api.Contexts.Client(server.host, server.port, timeout=PATIENCE) as client:
        yield client


def leave(client: Any, who: str, how: str) -> None:
    """One call that keeps something; the next ones know nothing of it."""
    if how in ("error", "another context in its place"):
        with pytest.raises(thriftserver.ApplicationError):
            client.keep(who, how)
    else:
        assert client.keep(who, how) == who


@pytest.mark.parametrize("how", KINDS)
def test_what_was_kept_tells_of_its_own_call(client: Any, how: str) -> None:
    for number in range(3):
        leave(client, f"first {number}", how)
        assert client.see("next") == "next " or how == "another context in its place"
        assert client.task("task", "copy") == "task"
        assert client.see("last") == "last " or how == "another context in its place"
    for line in client.kept():
        assert line[: len(line) // 2] == line[len(line) // 2 + 1 :]


@pytest.mark.parametrize("seed", range(5))
def test_in_any_order(client: Any, seed: int) -> None:
    chance = random.Random(seed)
    kinds = [kind for kind in KINDS if kind != "another context in its place"]
    for round_ in range(4):
        for number in range(30):
            leave(client, f"{round_} {number}", chance.choice(kinds))
            if chance.random() < 0.5:
                assert client.task(f"task {number}", chance.choice(["copy", "set"])) == f"task {number}"
            assert client.see("next") == "next "
        for line in client.kept():
            assert line[: len(line) // 2] == line[len(line) // 2 + 1 :]
        client.drop()
