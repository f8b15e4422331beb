"""What the IDL says must not be shown is in no text that is made of it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

import thriftserver
from tests.harness import PATIENCE, Server
from thriftserver.errors import EncodeError, WireError

SECRET = "hunter2"

VAULT = """
typedef string Password (thriftserver.redact)
"""

IDL = """
include "vault.thrift"
typedef vault.Password Pin
typedef list<Pin> Pins

struct Sealed { 1: string inside, 2: i32 number } (thriftserver.redact)
struct Account {
  1: string name
  2: i32 password (thriftserver.redact)
  3: vault.Password old
  4: Pins pins
  5: map<string, Pin> named
  6: Sealed sealed
  7: list<Sealed> more
  8: map<string, list<i32>> codes (thriftserver.redact = "yes")
}
union Either { 1: string shown, 2: string hidden (thriftserver.redact) }
exception Denied { 1: string message (thriftserver.redact), 2: i32 code }
service Bank {
  void open(1: string name, 2: i32 pin (thriftserver.redact), 3: Account account)
  Pin pin()
  string word() (thriftserver.redact)
  Account find() throws (1: Denied denied)
}
"""

HANDLER = """
import pathlib, thriftserver
api = thriftserver.load(pathlib.Path(__file__).parent / "bank.thrift")

class Impl:
    def open(self, name, pin, account): raise ValueError(f"cannot open {account!r} with {[account]}")
    def pin(self): return 4711
    def word(self): return 4711
    def find(self):
        return api.Account(name="a", password="hunter2")
"""


@pytest.fixture
def bank(tmp_path: Path) -> Any:
    (tmp_path / "vault.thrift").write_text(VAULT)
    (tmp_path / "bank.thrift").write_text(IDL)
    (tmp_path / "bank.py").write_text(HANDLER)
    return thriftserver.load(tmp_path / "bank.thrift")


def account(bank: Any) -> Any:
    return bank.Account(
        name="Ada",
        password=4711,
        old=SECRET,
        pins=[SECRET],
        named={"a": SECRET},
        sealed=bank.Sealed(SECRET, 4711),
        more=[bank.Sealed(SECRET)],
        codes={SECRET: [4711]},
    )


def test_no_repr_shows_it(bank: Any) -> None:
    value = account(bank)
    mark = "[redacted]"
    assert repr(value) == (
        f"Account(name='Ada', password={mark}, old={mark}, pins={mark}, named={mark}, sealed=Sealed({mark}), "
        f"more=[Sealed({mark})], codes={mark})"
    )
    assert repr(bank.Either(hidden=SECRET)) == f"Either(hidden={mark})"
    assert repr(bank.Either(shown="x")) == "Either(shown='x')"
    assert repr(bank.Account(name="Ada")) == "Account(name='Ada')"  # what is not set is no secret
    for text in (str(bank.Denied(SECRET, 7)), repr(bank.Denied(SECRET, 7)), str([value]), str({1: value})):
        assert SECRET not in text
        assert "4711" not in text
    assert copy.copy(value) == value
    assert value.old == SECRET  # only the texts hide it


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": 4711}, "Account.name: expected string, got int 4711"),
        ({"password": SECRET}, "Account.password: expected i32, got [redacted]"),
        ({"password": 2**40 + 4711}, "Account.password: out of range of i32"),
        ({"old": 4711}, "Account.old: expected string, got [redacted]"),
        ({"pins": [SECRET, 4711]}, "Account.pins: expected string, got [redacted]"),
        ({"codes": {SECRET: [SECRET]}}, "Account.codes: expected i32, got [redacted]"),
        ({"codes": {SECRET: [2**40]}}, "Account.codes: out of range of i32"),
    ],
)
def test_no_message_of_a_value_that_does_not_fit_shows_it(bank: Any, change: dict[str, Any], message: str) -> None:
    value = account(bank)
    for name, item in change.items():
        setattr(value, name, item)
    with pytest.raises(EncodeError) as caught:
        thriftserver.serialize(value)
    assert str(caught.value) == message


def test_a_field_of_a_redacted_struct_is_one(bank: Any) -> None:
    value = account(bank)
    value.more[0].number = SECRET
    with pytest.raises(EncodeError) as caught:
        thriftserver.serialize(value)
    assert str(caught.value) == "Account.more[0].number: expected i32, got [redacted]"


def test_bytes_that_do_not_decode_are_not_shown(bank: Any) -> None:
    data = thriftserver.serialize(bank.Account(codes={SECRET: [1]}))
    with pytest.raises(WireError) as caught:
        thriftserver.deserialize(bank.Account, data[:-4])
    assert SECRET not in str(caught.value)
    assert caught.value.path == "Account.codes"


def test_no_line_and_no_answer_of_a_server_shows_it(bank: Any, tmp_path: Path) -> None:
    with Server("--idl", "bank.thrift", "--handler", "bank:Impl", cwd=tmp_path) as server:
        with bank.Bank.Client(server.host, server.port, timeout=PATIENCE) as client:
            for call in (lambda: client.open("Ada", 4711, account(bank)), client.pin, client.word, client.find):
                with pytest.raises(thriftserver.ApplicationError) as caught:
                    call()
                assert "internal error" in str(caught.value)
            with pytest.raises(EncodeError) as refused:
                client.open("Ada", SECRET, None)
        server.stop()
    assert str(refused.value) == "args.pin: expected i32, got [redacted]"
    errors = [line["error"] for line in server.found("handler_failed")]
    assert errors[1:] == [
        "result: expected string, got [redacted]",
        "result: expected string, got [redacted]",
        "result.password: expected i32, got [redacted]",
    ]
    text = str(server.events)
    assert SECRET not in text
    assert "4711" not in text
