"""The stored parser tables: current, used, and worth their place."""

from __future__ import annotations

import re
import subprocess
import sys

from ply import lex, yacc

from tests.idl import update
from thriftserver.idl import grammar, lexer


def test_the_stored_tables_belong_to_the_grammar() -> None:
    assert update.tables() == update.TABLES.read_text(), "run `python -m tests.idl.update tables`"


class Log:
    """A logger for ply that keeps the warnings."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def warning(self, message: str, *args: object) -> None:
        self.said.append(message % args)

    def info(self, message: str, *args: object) -> None:
        pass

    debug = info
    error = critical = warning


def test_the_grammar_has_no_conflicts() -> None:
    log = Log()
    yacc.yacc(module=grammar, write_tables=False, debug=False, errorlog=log, debuglog=yacc.NullLogger())
    # ILLEGAL fits nowhere, on purpose, and errors are found by our own loop.
    assert log.said == [
        "no p_error() function is defined",
        "Token 'ILLEGAL' defined, but not used",
        "There is 1 unused token",
    ]


def test_ply_finds_nothing_wrong_with_the_rules_of_tokens() -> None:
    log = Log()
    lex.lex(module=lexer._rules(), reflags=int(re.ASCII), errorlog=log)
    assert log.said == []


def test_stale_tables_would_be_built_anew() -> None:
    script = (
        "import thriftserver.idl.tables as tables\n"
        "tables._lr_signature = 'another grammar'; tables._lr_action = {}; tables._lr_goto = {}\n"
        "from thriftserver.idl.loader import Loader\n"
        "print(list(Loader().load('m.thrift', files={'m.thrift': 'struct A {}'}).structs))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "['A']\n"


def test_docstrings_are_not_needed() -> None:
    script = (
        "from thriftserver.idl.loader import Loader\n"
        "print(list(Loader().load('m', files={'m': 'struct A {}'}).structs))\n"
    )
    done = subprocess.run([sys.executable, "-OO", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "['A']\n"
