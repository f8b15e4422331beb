"""What goes beside calls and comes beside answers: blocks of headers, in each dialect that has a place for them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import thriftserver
from tests.harness import PATIENCE, Server
from thriftserver.errors import EncodeError

IDL = """
exception No { 1: string why }
service Post {
  // The headers that came along, but for the time that is left; the value of "answer" goes back beside the reply.
  map<string, string> seen(),
  void refuse() throws (1: No no),
  oneway void note(),
  map<string, string> noted()
}
"""
HANDLER = """
import thriftserver

api = thriftserver.load("post.thrift")

class Post:
    last = {}

    def seen(self):
        call = thriftserver.current_call()
        if "answer" in call.headers:
            call.reply_headers["answered"] = call.headers["answer"]
        return call.headers

    def refuse(self):
        self.seen()
        raise api.No(why="no")

    def note(self):
        Post.last = self.seen()

    def noted(self):
        return Post.last
"""
API: Any = thriftserver.load("/headers/post.thrift", files={"/headers/post.thrift": IDL})
HEADERS = ("header-binary", "header-compact", "header-json")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("post")
    (folder / "post.thrift").write_text(IDL)
    (folder / "post.py").write_text(HANDLER)
    with Server("--idl", "post.thrift", "--handler", "post:Post", "-w", "1", cwd=folder) as server:
        yield server


def client(server: Server, dialect: str = "header-binary", **options: Any) -> Any:
    return API.Post.Client(server.host, server.port, dialect=dialect, **options)


@pytest.mark.parametrize("dialect", HEADERS)
def test_a_block_of_headers(server: Server, dialect: str) -> None:
    with client(server, dialect) as it:
        assert it.seen() == {}
        with thriftserver.headers({"tenant": "acmé", "empty": ""}):
            assert it.seen() == {"tenant": "acmé", "empty": ""}
            with thriftserver.headers({"tenant": "other", "more": "1"}):
                assert it.seen() == {"tenant": "other", "empty": "", "more": "1"}
            it.note()
            assert it.noted() == {"tenant": "acmé", "empty": ""}
        assert it.seen() == {}


def test_what_came_beside_the_last_answer(server: Server) -> None:
    with client(server) as it, thriftserver.headers({"answer": "one"}) as outer:
        assert outer.reply == {}
        it.seen()
        assert outer.reply == {"answered": "one"}
        with thriftserver.headers({"answer": "two"}) as inner:
            with pytest.raises(API.No):
                it.refuse()
            assert (inner.reply, outer.reply) == ({"answered": "two"}, {"answered": "one"})
            it.noted()
            assert inner.reply == {}
    with client(server) as it, thriftserver.headers() as listening:
        it.seen()
        assert listening.reply == {}


def test_the_time_that_is_left_is_told_truly(server: Server) -> None:
    with client(server, timeout=PATIENCE) as it, thriftserver.headers({"client_timeout": "1", "tenant": "x"}):
        seen = it.seen()
        assert seen.pop("client_timeout") not in ("1", "")
        assert seen == {"tenant": "x"}


def test_other_dialects_have_no_place(server: Server) -> None:
    with client(server, "framed-binary") as it, thriftserver.headers({"answer": "x"}) as block:
        assert it.seen() == {}
        assert block.reply == {}


def test_what_is_no_header(server: Server) -> None:
    wrong: Any
    for wrong in ({"number": 1}, {b"raw": "x"}, {"none": None}):
        with pytest.raises(TypeError, match="headers are texts, got "), thriftserver.headers(wrong):
            pass
    with client(server) as it:
        with thriftserver.headers({"large": "x" * 70_000}), pytest.raises(EncodeError, match="info headers of 7"):
            it.seen()
        assert it.seen() == {}


def test_a_pool_sends_them_too(server: Server) -> None:
    with (
        API.Post.Pool(server.host, server.port, dialect="header") as pool,
        thriftserver.headers({"answer": "x"}) as block,
    ):
        assert pool.seen() == {"answer": "x"}
        assert block.reply == {"answered": "x"}


def test_threads_have_blocks_of_their_own(server: Server) -> None:
    together, seen = threading.Barrier(8), {}

    def run(number: int) -> None:
        with client(server) as it, thriftserver.headers({"number": str(number)}):
            together.wait(PATIENCE)
            seen[number] = [it.seen() for _ in range(20)]

    threads = [threading.Thread(target=run, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert seen == {number: [{"number": str(number)}] * 20 for number in range(8)}


def test_tasks_have_blocks_of_their_own(server: Server) -> None:
    async def run(it: Any, number: int) -> bool:
        with thriftserver.headers({"answer": str(number)}) as block:
            for _ in range(20):
                seen = await it.seen()
                if (seen, block.reply) != ({"answer": str(number)}, {"answered": str(number)}):
                    return False
        return True

    async def main() -> list[bool]:
        async with API.Post.AsyncClient(server.host, server.port, dialect="header") as it:
            return await asyncio.gather(*(run(it, number) for number in range(8)))

    assert asyncio.run(main()) == [True] * 8
