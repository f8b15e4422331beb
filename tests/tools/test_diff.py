"""``thriftserver idl diff ADDRESS FILE...``: would this deploy break who is running now?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.reflection.bank import MAIN, SECOND
from tests.tools.conftest import Command

AS_IT_IS = ("bank.thrift", "mint.thrift", "-I", "inc")


@pytest.fixture
def deploy(folder: Path) -> Path:
    """Files for the next deploy, beside those of the server."""
    (folder / "next.thrift").write_text(MAIN)
    (folder / "next_mint.thrift").write_text(SECOND)
    return folder


def test_the_same_changes_nothing(command: Command, address: str) -> None:
    done = command("idl", "diff", address, *AS_IT_IS)
    assert (done.returncode, done.stdout, done.stderr) == (0, "no changes\n", "")


def test_what_breaks_is_told_with_both_places(command: Command, address: str, deploy: Path) -> None:
    (deploy / "next.thrift").write_text(MAIN.replace("1: people.Person owner", "2: people.Person owner"))
    done = command("idl", "diff", address, "next.thrift", "mint.thrift", "-I", "inc")
    assert done.returncode == 1
    assert "next.thrift:" in done.stdout
    assert "(was bank.thrift:" in done.stdout
    assert "breaking: Bank.open(1: owner)" in done.stdout
    told = json.loads(command("idl", "diff", address, "next.thrift", "mint.thrift", "-I", "inc", "--json").stdout)
    assert told["breaking"] >= 1


def test_a_service_that_is_served_no_more_breaks(command: Command, address: str) -> None:
    done = command("idl", "diff", address, "bank.thrift", "-I", "inc")
    assert done.returncode == 1
    assert "Mint: the service is gone" in done.stdout


def test_only_what_is_served_counts(command: Command, address: str, deploy: Path) -> None:
    """Between files anything counts that could be served; nobody calls what this server does not serve."""
    (deploy / "next.thrift").write_text(MAIN.replace("service Bank", "struct Fresh { 1: i32 a }\nservice Bank"))
    fits = ("next.thrift", "mint.thrift", "-I", "inc")
    assert command("idl", "diff", address, *fits).stdout == "no changes\n"


def test_without_a_server_that_tells(command: Command) -> None:
    done = command("idl", "diff", "127.0.0.1:1", "bank.thrift", "-I", "inc")
    assert (done.returncode, done.stderr) == (7, "Error: cannot connect to 127.0.0.1:1: Connection refused\n")


def test_files_with_errors(command: Command, address: str, deploy: Path) -> None:
    (deploy / "next.thrift").write_text("struct {")
    assert command("idl", "diff", address, "next.thrift").returncode == 1
