"""``run --reload``: what somebody edits is served by itself, once for all workers, and never something broken."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.harness import Server
from tests.server.raw import Peer, field, message
from tests.server.services import HANDLER, IDL, write_demo
from tests.server.waiting import said

INCLUDED = "struct Extra { 1: i32 x = 1 }\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The demo, whose handler imports a module of its own and whose IDL includes a file."""
    (tmp_path / "words.py").write_text('VERSION = "1"\n')
    (tmp_path / "extra.thrift").write_text(INCLUDED)
    (tmp_path / "t.toml").write_text('idl = "demo.thrift"\nhandler = "demo:Impl"\nworkers = 2\nreload = true\n')
    return write_demo(
        tmp_path, HANDLER.replace('VERSION = "1"', "from words import VERSION"), 'include "extra.thrift"\n' + IDL
    )


@pytest.fixture
def server(folder: Path) -> Iterator[Server]:
    with Server("--config", "t.toml", cwd=folder) as running:
        yield running


def version(server: Server) -> str:
    with Peer(server) as peer:
        return said(peer.ask(message("version")))


def replaced(server: Server, count: int) -> None:
    """Both old workers have gone, for the ``count``-th time."""
    server.wait("reloaded", count)
    server.wait("worker_exit", 2 * count, code=0)


def test_a_changed_module_is_served_after_one_reload(server: Server, folder: Path) -> None:
    for count, text in enumerate(("2", "3", "4"), 1):  # of one size, and maybe within one second
        (folder / "words.py").write_text(f'VERSION = "{text}"\n')
        replaced(server, count)
        assert version(server) == text
    assert server.wait("changed")["files"] == [str(folder / "words.py")]
    assert [len(server.found(event)) for event in ("changed", "reloading", "reloaded")] == [3, 3, 3]
    assert not server.found("reload_rejected")


def test_a_changed_include_and_a_changed_configuration_are_served(server: Server, folder: Path) -> None:
    (folder / "extra.thrift").write_text(INCLUDED + "struct More { 1: i32 y }\n")
    replaced(server, 1)
    assert server.wait("changed")["files"] == [str(folder / "extra.thrift")]
    text = (folder / "t.toml").read_text()
    (folder / "t.toml").write_text(text.replace("workers = 2", "workers = 3"))
    server.wait("reloaded", 2)
    server.wait("worker_ready", 2 + 2 + 3)
    server.wait("worker_exit", 4, code=0)
    assert len(server.workers()) == 3


@pytest.mark.parametrize("broken", ["demo.py", "words.py", "demo.thrift", "extra.thrift", "t.toml"])
def test_a_broken_save_is_rejected_and_the_next_one_served(server: Server, folder: Path, broken: str) -> None:
    before = server.workers()
    text = (folder / broken).read_text()
    (folder / broken).write_text("= (")
    assert broken in server.wait("reload_rejected")["reason"]
    assert version(server) == "1"
    assert server.workers() == before
    (folder / broken).write_text(text)
    replaced(server, 1)
    assert version(server) == "1"


def test_a_new_file_that_was_missing_or_broken_is_a_reason_to_try_again(server: Server, folder: Path) -> None:
    (folder / "words.py").write_text("from more import VERSION\n")
    assert "more" in server.wait("reload_rejected")["reason"]
    (folder / "more.py").write_text("VERSION = (")
    assert "more.py" in server.wait("reload_rejected", 2)["reason"]
    (folder / "more.py").write_text('VERSION = "new"')
    replaced(server, 1)
    assert version(server) == "new"
    (folder / "unrelated.py").write_text("nobody imports this")
    (folder / "words.py").write_text("from more import VERSION  # once more\n")
    replaced(server, 2)
    assert server.found("changed")[-1]["files"] == [str(folder / "words.py")]


def test_what_is_imported_during_a_call_is_watched_too(folder: Path) -> None:
    (folder / "late.py").write_text('VERSION = "late"\n')
    handler = (folder / "demo.py").read_text().replace("return VERSION", "import late; return late.VERSION")
    (folder / "demo.py").write_text(handler)
    with Server("--config", "t.toml", "--log-level", "debug", cwd=folder) as server:
        assert version(server) == "late"
        server.until(lambda: str(folder / "late.py") in server.found("watching")[-1]["files"], "news of late.py")
        (folder / "late.py").write_text('VERSION = "later"\n')
        replaced(server, 1)
        assert version(server) == "later"


def test_without_it_nothing_is_watched(folder: Path) -> None:
    with Server("--config", "t.toml", cwd=folder, env={"THRIFTSERVER_RELOAD": "off"}) as server:
        (folder / "words.py").write_text('VERSION = "2"\n')
        with Peer(server) as peer:  # for longer than it takes to notice
            assert peer.ask(message("nap", field(4, 1, struct.pack(">d", 1.5)) + b"\0")) is not None
        assert server.stop() == 0
    assert not server.found("changed")
    assert not server.found("reloading")
