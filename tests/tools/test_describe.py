"""``thriftserver describe``: IDL that says the same as the file, from a server and from the file."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

import thriftserver
from tests.support import ROOT
from tests.tools.conftest import Command
from thriftserver.describing.text import Text
from thriftserver.idl.dump import dump
from thriftserver.idl.loader import Loader

FILES = sorted([*(ROOT / "idl").glob("*.thrift"), *(ROOT / "tests/golden/idl/ok").glob("*.thrift")])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_text_means_the_same(path: Path) -> None:
    """Whatever an IDL has, its description is an IDL that means the same, but for what is redacted."""
    loader = Loader()
    module = loader.load(str(path))
    files = {}
    for each in module.tree():
        files[f"{each.name}.thrift"] = "\n".join(Text(each.name).file(each))
    assert len(files) == len(list(module.tree())), "two files of one name"
    again = Loader().load(f"{module.name}.thrift", files=files)
    before, after = dump(module), dump(again)
    before.pop("namespaces")
    after.pop("namespaces")
    assert after == before


def test_a_server_tells_all(command: Command, address: str) -> None:
    done = command("describe", address)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"// thriftserver {thriftserver.__version__} at {address} serves Bank, Mint\n")
    for line in (
        "/** What a bank does. */",
        "service Bank extends people.Registry {",
        "  Account open(1: people.Person owner) throws (1: Closed closed) (thriftserver.idempotent)",
        "  3: string secret (thriftserver.redact)",
        "// people.thrift",
        "struct Coin {",
    ):
        assert line in done.stdout.splitlines(), line
    assert "hush" not in done.stdout


@pytest.mark.parametrize("name", ["Bank.open", "bank.Bank.open", "Bank:open"])
def test_a_method_comes_with_its_types(command: Command, address: str, name: str) -> None:
    for words in ((address,), ("bank.thrift", "-I", "inc")):
        done = command("describe", *words, name)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[1:] == [
            "/** One account. */",
            "Account open(1: people.Person owner) throws (1: Closed closed) (thriftserver.idempotent)",
            "",
            "struct Person {",
            "  1: string name",
            "}",
            "",
            "struct Account {",
            "  1: required i64 id",
            "  2: money.Amount balance",
            "  3: string secret (thriftserver.redact)",
            "}",
            "",
            "exception Closed {",
            "  1: string why",
            "}",
            "",
            "struct Amount {",
            "  1: i64 cents",
            "}",
        ]


@pytest.mark.parametrize(
    ("name", "first"), [("Colour", "enum Colour {"), ("money.Amount", "struct Amount {"), ("Cents", "/**")]
)
def test_a_type(command: Command, address: str, name: str, first: str) -> None:
    assert command("describe", address, name).stdout.startswith(first)


def test_a_name_that_is_none(command: Command, address: str) -> None:
    done = command("describe", address, "Acount")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "Error: the IDL defines no 'Acount'; did you mean 'Account'?\n"
    assert "; there is Bank, Account" in command("describe", address, "zzzzzz").stderr


def test_json(command: Command, address: str) -> None:
    told = json.loads(command("describe", address, "--json").stdout)
    assert told["serves"] == ["Bank", "Mint"]
    by_name = {each["ref"]: each for each in told["definitions"]}
    assert by_name["bank.Bank"]["doc"] == "What a bank does."
    secret = by_name["bank.Account"]["fields"][2]
    assert (secret["redacted"], secret["default"], secret["type"]) == (True, None, "string")
    method = json.loads(command("describe", address, "Bank.open", "--json").stdout)
    assert (method["kind"], method["returns"], method["example"]) == (
        "method",
        "bank.Account",
        {"owner": {"name": "text"}},
    )
    assert [each["name"] for each in method["types"]] == ["Person", "Account", "Closed", "Amount"]


def test_nobody_there(command: Command) -> None:
    done = command("describe", "127.0.0.1:1")
    assert (done.returncode, done.stderr) == (7, "Error: cannot connect to 127.0.0.1:1: Connection refused\n")
    missing = command("describe", "missing.thrift")
    assert missing.returncode == 1
    assert "cannot read this file" in missing.stderr


def test_colour_on_a_terminal(folder: Path, address: str) -> None:
    for plain in (False, True):
        ours, theirs = pty.openpty()
        env = {"PYTHONPATH": str(ROOT), "TERM": "xterm"} | ({"NO_COLOR": "1"} if plain else {})
        words = [sys.executable, "-m", "thriftserver", "describe", address, "Account"]
        done = subprocess.run(words, cwd=folder, env=env, stdout=theirs, check=True)
        os.close(theirs)
        text = os.read(ours, 4096).decode()
        os.close(ours)
        assert done.returncode == 0
        assert ("\x1b[31m\x1b[1mthriftserver.redact\x1b[0m" in text) is not plain
