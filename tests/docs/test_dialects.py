"""docs/dialects.md: its tables, its commands, and what it says of clients that are refused."""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from thrift.transport.THeaderTransport import THeaderClientType, THeaderTransformID, THeaderTransport
from thrift.transport.TSocket import TSocket

from tests.docs.dialects import PAGE, rendered, tables
from tests.docs.pages import blocks
from tests.docs.reader import Reader
from tests.harness import Server
from tests.server.raw import EXCEPTION, Peer, add, framed, message, text
from tests.support import ROOT, need
from thriftserver.compiled import PROTOCOLS
from thriftserver.dialect.table import DIALECTS

CALCULATOR = ("--idl", "idl/calculator.thrift", "--handler", "handlers.calculator:Calculator")


def test_the_tables_are_those_of_the_server() -> None:
    page = PAGE.read_text()
    assert len(tables(page)) == 3
    assert rendered(page) == page, "run `python -m tests.docs.dialects` if this is right"


def test_every_page_that_names_dialects_names_them_right() -> None:
    known = {each.name for each in DIALECTS}
    for page in (ROOT / "docs").glob("*.md"):
        found = set(re.findall(r"`((?:un)?framed-\w+)`", page.read_text()))
        assert found <= known, page.name


def test_commands(clone: Path, elsewhere: Callable[[str], str], installed: dict[str, str]) -> None:
    need(shutil.which("curl"), "curl (apt install curl)")
    need("tjson" in PROTOCOLS, "the JSON protocol")

    def change(text: str) -> str:
        """The extra is here already."""
        text = re.sub(r"^pip install 'thriftserver\[http\]'\n", "", text)
        text = re.sub(r"^(thriftserver run (?!.*--bind).*)", r"\1 --bind 127.0.0.1:9090", text)
        return elsewhere(text)

    with Reader(clone, installed, change) as reader:
        reader.follow(block for block in blocks(PAGE) if block.file or block.language == "sh")
    added, greeted = reader.said
    promised = re.search(r"^prints `(.+?)`", PAGE.read_text(), re.MULTILINE)
    assert promised is not None
    assert json.loads(added) == json.loads(promised[1]) == [1, "add", 2, 7, {"0": {"i64": 5}}]
    head, _, body = greeted.replace("\r\n", "\n").partition("\n\n")
    assert "served-by: tenants" in head.splitlines()
    assert json.loads(body) == [1, "greet", 2, 1, {"0": {"str": "Hello, Ada of Acme!"}}]


def test_header_fields_reach_the_handler_and_come_back(tmp_path: Path) -> None:
    """The same example in the binary protocol."""
    for block in blocks(PAGE):
        if block.file:
            (tmp_path / block.file).write_text(block.text)
    request = message("greet", b"\x0b\0\1" + text("Ada") + b"\0")[4:]
    with (
        Server(*("--idl", "tenants.thrift", "--handler", "tenants:Tenants", "--http"), cwd=tmp_path) as server,
        Peer(server) as peer,
    ):
        peer.send(b"POST /any HTTP/1.1\r\nHost: x\r\nTenant: Acme\r\nContent-Length: %d\r\n" % len(request))
        peer.send(b"Connection: close\r\n\r\n" + request)
        head, _, body = peer.rest().partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nserved-by: tenants\r\n" in head + b"\r\n"
    assert text("Hello, Ada of Acme!") in body


def test_info_headers_of_theader(tmp_path: Path) -> None:
    """The same example, with Apache's transport, compressed."""
    for block in blocks(PAGE):
        if block.file:
            (tmp_path / block.file).write_text(block.text)
    with Server("--idl", "tenants.thrift", "--handler", "tenants:Tenants", cwd=tmp_path) as server:
        transport = THeaderTransport(TSocket(server.host, server.port), (THeaderClientType.HEADERS,))
        transport.open()
        transport.set_header(b"tenant", b"Acme")
        transport.add_transform(THeaderTransformID.ZLIB)
        transport.write(message("greet", b"\x0b\0\1" + text("Ada") + b"\0")[4:])
        transport.flush()
        transport.readFrame(0)
        assert transport.get_headers() == {b"served-by": b"tenants"}
        assert text("Hello, Ada of Acme!") in transport.cstringio_buf.read()
        transport.close()


CALL = message("add", add(2, 3))[4:]


@pytest.fixture(scope="module")
def pinned() -> Iterator[Server]:
    with Server(*CALCULATOR, "--dialect", "framed-binary", "--dialect", "header") as server:
        yield server


def test_a_dialect_that_is_not_taken_is_refused_in_its_own(pinned: Server) -> None:
    with Peer(pinned) as peer:
        answer = peer.ask(framed(CALL))
        assert answer is not None
        assert answer.kind != EXCEPTION
    with Peer(pinned) as peer:
        peer.send(CALL)
        said = peer.rest()
    assert said.startswith(b"\x80\x01\x00\x03" + text("add") + b"\0\0\0\7")
    told = "the peer speaks unframed binary Thrift, which is not taken here; use a framed transport in the client"
    assert text(told) in said
    assert said.endswith(b"\x08\0\2\0\0\0\x09\0"), "INVALID_PROTOCOL"
    assert pinned.wait("bad_peer")["error"] == told


def test_http_that_is_not_taken_is_told_so(pinned: Server) -> None:
    with Peer(pinned) as peer:
        peer.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        said = peer.rest()
    assert said.startswith(b"HTTP/1.1 400 ")
    assert b"--http" in said


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3000\r\n\r\n" + bytes(3000), 413),
        (b"POST / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 70_000, 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", 405),
        (b"OPTIONS / HTTP/1.1\r\nHost: x\r\nOrigin: https://evil.example\r\n\r\n", 405),
        (b"OPTIONS / HTTP/1.1\r\nHost: x\r\nOrigin: https://app.example.com\r\n\r\n", 204),
    ],
    ids=["no Thrift", "too large", "head too large", "no call", "another origin", "the origin"],
)
def test_what_http_answers(speaking_http: Server, request_: bytes, status: int) -> None:
    with Peer(speaking_http) as peer:
        peer.send(request_)
        assert peer.rest().startswith(b"HTTP/1.1 %d " % status)


@pytest.fixture(scope="module")
def speaking_http() -> Iterator[Server]:
    options = ("--http", "--http-cors", "https://app.example.com", "--max-frame", "2000")
    with Server(*CALCULATOR, *options) as server:
        yield server


def test_an_unframed_message_that_is_too_large_is_refused_when_it_says_so(speaking_http: Server) -> None:
    with Peer(speaking_http) as peer:
        peer.send(message("add", b"\x0b\0\1" + (3000).to_bytes(4, "big"))[4:])
        assert b"a message is larger than max-frame (2000)" in peer.rest()


def test_reloads_keep_a_dialect_while_it_is_taken(tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text("")
    arguments = ("--idl", str(ROOT / CALCULATOR[1]), *CALCULATOR[2:], "--config", "t.toml", "--access-log", "all")
    with Server(*arguments, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}) as server, Peer(server) as peer:
        for count in (1, 2):
            peer.send(CALL[:-3])
            server.signal(signal.SIGHUP)
            server.wait("reloaded", count)
            peer.send(CALL[-3:])
            assert peer.exactly(27).startswith(b"\x80\x01\x00\x02")
        assert server.wait("call", 2)["dialect"] == "unframed-binary"
        (tmp_path / "t.toml").write_text('dialect = ["framed-binary"]\n')
        server.signal(signal.SIGHUP)
        server.wait("reloaded", 3)
        server.wait("worker_exit", 3)
        peer.send(CALL)
        assert b"which is not taken here" in peer.rest()
