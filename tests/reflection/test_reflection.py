"""A server tells its IDL over Thrift: in each dialect, to whom it may, and what it has loaded, not what is on disk."""

from __future__ import annotations

import os
import re
import signal
import socket
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.docs.pages import PAGES, blocks
from tests.harness import PATIENCE, Server
from tests.reflection.bank import BOTH, COIN, MAIN, MONEY, ONE, PEOPLE, SECOND
from tests.support import ROOT
from thriftserver.dialect.caller import SPEAKABLE
from thriftserver.errors import ApplicationError, IdlError
from thriftserver.idl.dump import dump
from thriftserver.reflection.asking import Untold, read, reflect
from thriftserver.reflection.contract import IDL, NAME, SERVICE, contract
from thriftserver.reflection.telling import Telling, is_local


@pytest.fixture(scope="module")
def anywhere() -> str:
    """An address of this machine that is no loopback one, so that who comes from it seems to come from elsewhere."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))  # sends nothing
        except OSError:
            pytest.skip("this test needs an address beside the loopback one")
        host: str = sock.getsockname()[0]
        return host


def raw(host: str, port: int) -> Any:
    """What a client gets that knows the contract alone."""
    with contract().Reflection.Client(host, port, timeout=PATIENCE, service=SERVICE) as client:
        return client.schema()


def test_each_dialect_tells_the_same(folder: Path, env: dict[str, str]) -> None:
    with Server(*BOTH, cwd=folder, env=env) as server:
        for dialect in SPEAKABLE:
            told = read_with(server, dialect)
            assert told.files == {
                "bank.thrift": MAIN.replace("common/", ""),
                "mint.thrift": SECOND.replace("other/", "2/"),
                "money.thrift": MONEY,
                "people.thrift": PEOPLE,
                "2/money.thrift": COIN,
            }, dialect
            assert told.services == ("Bank", "Mint")
            assert told.server == f"thriftserver {thriftserver.__version__}"


@pytest.fixture(params=["native", "pure"])
def env(request: pytest.FixtureRequest) -> dict[str, str]:
    return {"THRIFTSERVER_PURE": "1" if request.param == "pure" else ""}


def read_with(server: Server, dialect: str) -> Any:
    options = {"timeout": PATIENCE, "dialect": dialect, "service": SERVICE}
    with contract().Reflection.Client(server.host, server.port, **options) as client:
        return read(client.schema())


def test_what_is_told_is_what_was_loaded(folder: Path) -> None:
    with Server(*ONE, cwd=folder) as server:
        api = reflect(server.host, server.port, timeout=PATIENCE)
    here: Any = thriftserver.load(str(folder / "bank.thrift"), [str(folder / "inc")])
    assert dump(api.__thrift__) == dump(here.__thrift__)
    assert api.Bank.__doc__ == "What a bank does."
    open_, audit, *_ = api.Bank.__thrift__.functions
    assert (open_.doc, open_.idempotent, audit.oneway) == ("One account.", True, True)
    assert [field.redacted for field in api.Account.__thrift__.fields] == [False, False, True]
    assert api.money.Amount(5).cents == 5


def test_an_address_is_enough_to_call(folder: Path) -> None:
    with Server(*BOTH, cwd=folder) as server:
        api = reflect(f"{server.host}:{server.port}", timeout=PATIENCE)
        with api.bank.Bank.Client(server.host, server.port, timeout=PATIENCE) as bank:
            assert bank.open(api.bank.people.Person("Ann")).balance.cents == 100
            with pytest.raises(api.bank.Closed, match="for ever"):
                bank.open(api.bank.people.Person("gone"))
        with api.mint.Mint.Client(server.host, server.port, timeout=PATIENCE, service="Mint") as mint:
            assert mint.strike().value == 2


def test_the_running_generation_tells(folder: Path) -> None:
    def services(server: Server) -> list[str]:
        api = reflect(server.host, server.port, timeout=PATIENCE)
        return [function.name for function in api.Bank.__thrift__.functions]

    with Server(*ONE, cwd=folder) as server:
        (folder / "bank.thrift").write_text(MAIN.replace("oneway void audit", "oneway void added(), oneway void audit"))
        assert services(server) == ["open", "audit", "told", "sorted"]
        (folder / "app.py").write_text(
            (folder / "app.py").read_text().replace("    def audit", "    def added(self): pass\n    def audit")
        )
        server.signal(signal.SIGHUP)
        server.wait("worker_exit", code=0)
        assert services(server) == ["open", "added", "audit", "told", "sorted"]


def test_who_is_told(folder: Path, anywhere: str) -> None:
    for who, there, here in (("off", False, False), ("local", False, True), ("on", True, True)):
        with Server(*ONE, "--reflection", who, "--bind", f"{anywhere}:0", "--bind", "unix:s", cwd=folder) as server:
            for host, told in ((f"{anywhere}:{server.port}", there), (f"unix:{folder / 's'}", here)):
                if told:
                    assert reflect(host, timeout=PATIENCE).Bank
                    continue
                with pytest.raises(Untold) as caught:
                    reflect(host, timeout=PATIENCE)
                assert str(caught.value).startswith(f"{host} does not tell its IDL: start it with --reflection on")


def test_refused_it_is_a_method_like_any_other_that_is_not_there(folder: Path) -> None:
    with Server(*ONE, "--reflection", "off", cwd=folder) as server, pytest.raises(ApplicationError) as caught:
        raw(server.host, server.port)
    assert str(caught.value) == f"UNKNOWN_METHOD: no service {SERVICE!r} here; there is Bank"


@pytest.mark.parametrize(
    ("peer", "headers", "local"),
    [
        ("unix", None, True),
        ("127.0.0.1:4711", None, True),
        ("127.8.8.8:1", {}, True),
        ("[::1]:4711", {"tenant": "x"}, True),
        ("[::ffff:127.0.0.1]:80", None, True),
        ("[::ffff:192.0.2.7]:80", None, False),
        ("192.0.2.7:4711", None, False),
        ("[2001:db8::1]:4711", None, False),
        ("[fe80::1%eth0]:4711", None, False),
        ("127.0.0.1:4711", {"x-forwarded-for": "192.0.2.7"}, False),
        ("unix", {"forwarded": "for=192.0.2.7"}, False),
        ("unix:", None, False),
        ("", None, False),
        ("localhost:1", None, False),
    ],
)
def test_who_is_local(peer: str, headers: dict[str, str] | None, local: bool) -> None:
    assert is_local(peer, headers) is local


def test_what_does_not_fit_is_not_told(folder: Path) -> None:
    module: Any = thriftserver.load(str(folder / "mint.thrift"))
    from thriftserver.loading import _loader

    def told(most: int) -> Any:
        return Telling("on", [module.__thrift__], ["Mint"], _loader, most)(NAME, "", None)

    assert told(10_000) is not None
    assert told(2_000) is None


def test_whatever_comes_behind_the_name_the_connection_lives(folder: Path, env: dict[str, str]) -> None:
    """Arguments are not looked at; a ONEWAY gets no answer, as any of an unknown method."""

    def message(kind: int, seqid: int, arguments: bytes) -> bytes:
        body = struct.pack(f">BBBBi{len(NAME)}si", 0x80, 1, 0, kind, len(NAME), NAME.encode(), seqid) + arguments
        return struct.pack(">i", len(body)) + body

    with Server(*ONE, cwd=folder, env=env) as server, socket.create_connection((server.host, server.port)) as sock:
        sock.settimeout(PATIENCE)
        sock.sendall(message(4, 1, b"\0") + message(1, 2, b"") + message(1, 3, b"\xff" * 99) + message(1, 4, b"\0"))
        with sock.makefile("rb") as replies:
            for seqid in (2, 3, 4):
                reply = replies.read(int.from_bytes(replies.read(4), "big"))
                assert reply[:18] == b"\x80\x01\0\x02\0\0\0\x06schema" + struct.pack(">i", seqid)
                assert b"What a bank does." in reply


def test_it_is_told_to_many_at_once(folder: Path) -> None:
    with Server(*ONE, cwd=folder) as server, ThreadPoolExecutor(32) as pool:
        told = list(pool.map(lambda _: raw(server.host, server.port), range(200)))
    assert all(each == told[0] for each in told)


def test_a_file_whose_name_is_no_text(folder: Path) -> None:
    name = os.fsdecode(b"b\xe4nk.thrift")
    (folder / name).write_text("service Bank { i32 count() }")
    with Server("--idl", name, "--handler", "Bank=app:Bank", cwd=folder) as server:
        assert reflect(server.host, server.port, timeout=PATIENCE).Bank


def test_other_names_are_not_its_business(folder: Path) -> None:
    module: Any = thriftserver.load(str(folder / "mint.thrift"))
    from thriftserver.loading import _loader

    tells = Telling("on", [module.__thrift__], ["Mint"], _loader, 1 << 20)
    assert [tells(name, "unix", None) for name in ("schema", f"{SERVICE}:other", "Reflection:schema", "")] == [None] * 4


@pytest.mark.parametrize(
    ("files", "served"),
    [
        ({"a.thrift": "struct {"}, ["a.thrift"]),
        ({"a.thrift": f'include "{ROOT}/idl/shared.thrift"\nstruct A {{ 1: shared.About about }}'}, ["a.thrift"]),
        ({"a.thrift": 'include "a.thrift"'}, ["a.thrift"]),
        ({'a".thrift': ""}, ['a".thrift']),
    ],
)
def test_an_answer_that_is_no_idl_is_told_as_such(files: dict[str, str], served: list[str]) -> None:
    made = contract()
    schema = made.Schema([made.File(path, text) for path, text in files.items()], served, ["A"], "x")
    with pytest.raises(IdlError):
        read(schema)


def test_an_empty_answer_is_one(folder: Path) -> None:
    told = read(contract().Schema())
    assert (told.modules, told.services, told.server) == ((), (), "")


def test_the_page_shows_the_contract() -> None:
    (page,) = (page for page in PAGES if page.name == "tools.md")
    assert IDL in [block.text for block in blocks(page) if block.language == "thrift"]
    assert re.search(rf"`{re.escape(NAME)}`", page.read_text())
