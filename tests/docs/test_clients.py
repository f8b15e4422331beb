"""docs/clients.md: its programs, as they stand but for the port, and its tables."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.docs.pages import PAGES, blocks
from tests.harness import PATIENCE, Server
from tests.support import ROOT
from thriftserver.client.deadline import PHASES
from thriftserver.client.pool import Pool
from thriftserver.client.pooling import PoolOptions
from thriftserver.dialect.caller import SPEAKABLE

(PAGE,) = (page for page in PAGES if page.name == "clients.md")
HANDLER = """
import thriftserver

users = thriftserver.load("users.thrift")

class Users:
    def get(self, id):
        call = thriftserver.current_call()
        call.reply_headers["served-for"] = call.headers.get("tenant", "")
        if id != 1:
            raise users.NoSuchUser(id)
        return users.User(id, "Ada")

    def seen(self, id): pass
"""
SAID = {
    "client.py": "Ada\nthere is no user 2\n",
    "pool.py": "{'Ada'}\n100\n",
    "metrics.py": "True\n",
    "aio.py": "Ada\n{'Ada'}\n",
    "deadlines.py": "Ada\nAda\nAda\n",
    "tenant.py": "Ada acme\n",
}


def test_what_the_page_shows(tmp_path: Path) -> None:
    (tmp_path / "handler.py").write_text(HANDLER)
    shown = {block.file: block.text for block in blocks(PAGE)}
    assert set(shown) == {"users.thrift", "front.thrift", "front.py", "relay.py", *SAID}
    for name in ("users.thrift", "front.thrift"):
        (tmp_path / name).write_text(shown.pop(name))
    with Server("--idl", "users.thrift", "--handler", "handler:Users", "-w", "1", cwd=tmp_path) as server:
        (tmp_path / "front.py").write_text(shown.pop("front.py").replace("9090", str(server.port)))
        api: Any = thriftserver.load(str(tmp_path / "front.thrift"))
        with (
            Server("--idl", "front.thrift", "--handler", "front:Front", "-w", "1", cwd=tmp_path) as front,
            api.Front.Client(front.host, front.port, timeout=PATIENCE) as client,
        ):
            assert client.greet(1) == "Hello, Ada!"
        for name, text in shown.items():
            assert text.count("9090") == 1
            (tmp_path / name).write_text(text.replace("9090", str(server.port)))
            if name == "relay.py":
                relays(tmp_path)
                continue
            done = subprocess.run(
                [sys.executable, name],
                cwd=tmp_path,
                env={"PYTHONPATH": str(ROOT)},
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
            assert (done.stdout, done.stderr) == (SAID[name], "")


def relays(folder: Path) -> None:
    """A handler of the page, which calls the server."""
    users = thriftserver.load(folder / "users.thrift")
    with (
        Server("--idl", "users.thrift", "--handler", "relay:Relay", "-w", "1", cwd=folder) as server,
        users.Users.Client(server.host, server.port, timeout=PATIENCE) as client,
    ):
        assert client.get(1).name == "Ada"
        with pytest.raises(users.NoSuchUser):
            client.get(2)
        client.seen(1)
        assert client.get(1).name == "Ada"


def test_the_page_names_what_there_is() -> None:
    text = PAGE.read_text()
    assert all(f"`{name}`" in text for name in (*SPEAKABLE, *PHASES))


def test_the_page_has_the_options_of_a_pool_and_their_defaults() -> None:
    text = PAGE.read_text()
    table = text[text.index("| option | default") :].split("\n\n")[0].splitlines()[2:]
    told = {
        name.strip(" `"): default.strip()
        for names, defaults in (line.split("|")[1:3] for line in table)
        for name, default in zip(names.split(","), defaults.split(","), strict=True)
    }
    assert told == {
        name: f"{getattr(PoolOptions(), name)}".removesuffix(".0") for name in PoolOptions.__struct_fields__
    }
    taken = inspect.signature(Pool.__init__).parameters
    assert all(taken[name].default == getattr(PoolOptions(), name) for name in told)
