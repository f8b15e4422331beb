"""A server to be loaded, whose methods end in every way that there is, and commands as people type them."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Server, run
from tests.tls.pki import Pki

IDL = """
exception Sold { 1: string what }
struct Item { 1: required i64 id, 2: string name, 3: optional list<Item> parts }
service Shop {
  i64 add(1: i64 a, 2: i64 b),
  Item buy(1: Item item, 2: bool sold) throws (1: Sold sold),
  void crash(1: string text),
  oneway void note(1: string text),
  i64 noted(),
  i32 nap(1: i32 milliseconds),
  void pause(),
  string large(1: i32 size),
  string told(1: string name)
}
struct Endless { 1: required Endless inner }
service Other { string hello(1: string name), void tie(1: Endless endless) }
"""
HANDLER = """
import time
import gevent.monkey
import thriftserver

api = thriftserver.load("shop.thrift")
sleep = gevent.monkey.get_original("time", "sleep")

class Shop:
    def __init__(self):
        self.notes = 0
        self.pauses = 0
    def add(self, a, b): return a + b
    def buy(self, item, sold):
        if sold:
            raise api.Sold("out")
        return item
    def crash(self, text): raise thriftserver.ApplicationError(6, text)
    def note(self, text): self.notes += 1
    def noted(self): return self.notes
    def nap(self, milliseconds):
        time.sleep(milliseconds / 1000)
        return milliseconds
    def pause(self):
        "The hundredth call stops the whole worker for a second."
        self.pauses += 1
        if self.pauses == 100:
            sleep(1)
    def large(self, size): return "x" * size
    def told(self, name): return thriftserver.current_call().headers.get(name, "")

class Other:
    def hello(self, name): return name
    def tie(self, endless): pass
"""
ARGS = ("--idl", "shop.thrift", "--handler", "Shop=shop:Shop", "--handler", "Other=shop:Other", "--workers", "1")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.thrift").write_text(IDL)
    (folder / "shop.py").write_text(HANDLER)
    Pki(folder)
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with Server(*ARGS, "--http", "--bind", "127.0.0.1:0", "--bind", "unix:shop.sock", cwd=folder) as server:
        yield server


@pytest.fixture(scope="module")
def address(server: Server) -> str:
    return f"127.0.0.1:{server.port}"


#: Runs ``thriftserver bench`` with these words.
Bench = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def bench(folder: Path) -> Bench:
    return lambda *words: run(folder, "bench", *words)


@pytest.fixture
def result(bench: Bench) -> Callable[..., dict[str, Any]]:
    """What a test that has gone well prints as JSON."""

    def found(*words: str) -> dict[str, Any]:
        done = bench(*words, "--json")
        assert (done.returncode, done.stderr) == (0, "")
        data: dict[str, Any] = json.loads(done.stdout)
        return data

    return found
