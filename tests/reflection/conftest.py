"""A service whose IDL has all that is to be told: docs, annotations, includes from several places, what is redacted."""

from __future__ import annotations

from pathlib import Path

import pytest

MAIN = """\
/** Accounts, and who owns them. */
include "common/money.thrift"
include "people.thrift"

struct Account {
  1: required i64 id
  2: money.Amount balance            // a comment of no importance
  3: string secret = "hush" (thriftserver.redact)
}

exception Closed { 1: string why }

/** What a bank does. */
service Bank extends people.Registry {
  /** One account. */
  Account open(1: people.Person owner) throws (1: Closed closed) (thriftserver.idempotent)
  oneway void audit(1: string note)
}
"""
MONEY = "/** In the smallest unit. */\ntypedef i64 Cents\nstruct Amount { 1: Cents cents }\n"
PEOPLE = "struct Person { 1: string name }\nservice Registry { i32 count() }\n"
SECOND = 'include "other/money.thrift"\nservice Mint { money.Coin strike() }\n'
COIN = "struct Coin { 1: i32 value }\n"
HANDLER = """
import thriftserver

bank = thriftserver.load("bank.thrift", ["inc"])

class Bank:
    def count(self): return 3
    def open(self, owner):
        if owner.name == "gone":
            raise bank.Closed("for ever")
        return bank.Account(1, bank.money.Amount(100))
    def audit(self, note): pass

class Mint:
    def strike(self): return thriftserver.load("mint.thrift").money.Coin(2)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {
        "bank.thrift": MAIN,
        "common/money.thrift": MONEY,
        "inc/people.thrift": PEOPLE,
        "mint.thrift": SECOND,
        "other/money.thrift": COIN,
        "app.py": HANDLER,
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path
