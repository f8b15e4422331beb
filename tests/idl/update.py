"""Rewrites what is generated: ``python -m tests.idl.update [tables] [golden]``. Look at the difference before you commit it."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from ply import yacc

from thriftserver.idl import grammar

TABLES = Path(grammar.__file__).with_name("tables.py")
HEADER = '''"""Generated from ``grammar`` by ``python -m tests.idl.update tables``; ply checks that they still belong together."""

# ruff: noqa
# mypy: ignore-errors
'''


def tables() -> str:
    """The text that ``thriftserver/idl/tables.py`` must have."""
    with tempfile.TemporaryDirectory() as folder:
        yacc.yacc(
            module=grammar,
            tabmodule="generated",
            outputdir=folder,
            write_tables=True,
            debug=False,
            errorlog=yacc.NullLogger(),
        )
        [written] = Path(folder).glob("*.py")
        lines = written.read_text().splitlines()
    body = [line for line in lines if line.strip() and not line.startswith("#")]
    return HEADER + "\n".join(body) + "\n"


def main(what: list[str]) -> None:
    if not what or "tables" in what:
        TABLES.write_text(tables())


if __name__ == "__main__":
    main(sys.argv[1:])
