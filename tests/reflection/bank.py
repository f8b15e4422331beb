"""A service whose IDL has all that is to be told: docs, annotations, includes from several places, what is redacted."""

from __future__ import annotations

from pathlib import Path

MAIN = """\
/** Accounts, and who owns them. */
include "common/money.thrift"
include "people.thrift"

struct Account {
  1: required i64 id
  2: money.Amount balance            // a comment of no importance
  3: string secret = "hush" (thriftserver.redact)
}

enum Colour { RED = 1, BLUE = 5 }
struct Everything {
  1: bool flag
  2: i32 number
  3: double share
  4: string text
  5: binary data
  6: Colour colour
  7: list<string> names
  8: map<string, i32> counts
  9: people.Person person
  10: set<i32> numbers
}

exception Closed { 1: string why }

/** What a bank does. */
service Bank extends people.Registry {
  /** One account. */
  Account open(1: people.Person owner) throws (1: Closed closed) (thriftserver.idempotent)
  oneway void audit(1: string note)
  map<string, string> told()
  /** What came in, sorted. */
  list<string> sorted(1: Everything everything)
}
"""
MONEY = "/** In the smallest unit. */\ntypedef i64 Cents\nstruct Amount { 1: Cents cents }\n"
PEOPLE = "struct Person { 1: string name }\nservice Registry { i32 count() }\n"
SECOND = 'include "other/money.thrift"\nservice Mint { money.Coin strike() }\n'
COIN = "struct Coin { 1: i32 value }\n"
HANDLER = """
import thriftserver

bank = thriftserver.load("bank.thrift", ["inc"])

def vars_of(struct):
    pairs = ((name, getattr(struct, name)) for name in struct.__struct_fields__)
    there = ((name, value) for name, value in pairs if value is not None)
    return sorted((name, sorted(value) if isinstance(value, set) else value) for name, value in there)

class Bank:
    def count(self): return 3
    def open(self, owner):
        if owner.name == "gone":
            raise bank.Closed("for ever")
        return bank.Account(1, bank.money.Amount(100))
    def audit(self, note): pass
    def sorted(self, everything):
        return [f"{name}={value!r}" for name, value in vars_of(everything)]
    def told(self):
        call = thriftserver.current_call()
        call.reply_headers["branch"] = "main"
        return dict(call.headers)

class Mint:
    def strike(self): return thriftserver.load("mint.thrift").money.Coin(2)
"""


def write_bank(folder: Path) -> Path:
    """All of it, in this folder."""
    for name, text in {
        "bank.thrift": MAIN,
        "common/money.thrift": MONEY,
        "inc/people.thrift": PEOPLE,
        "mint.thrift": SECOND,
        "other/money.thrift": COIN,
        "app.py": HANDLER,
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


#: What ``thriftserver run`` serves of it: one service, or both.
ONE = ("--idl", "bank.thrift", "-I", "inc", "--handler", "Bank=app:Bank", "--http")
BOTH = (*ONE, "--idl", "mint.thrift", "--handler", "Mint=app:Mint")
