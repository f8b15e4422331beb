"""Rewrites what is generated: ``python -m tests.idl.update [tables] [golden]``. Read the difference before a commit."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from ply import yacc

from tests.idl import golden
from thriftserver.idl import grammar

TABLES = Path(grammar.__file__).with_name("tables.py")
HEADER = '''"""Generated from ``grammar`` by ``python -m tests.idl.update tables``; ply checks that they agree."""

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


def update_golden() -> None:
    for case in golden.cases():
        kind, text = golden.outcome(case)
        if kind != case.parts[0]:
            print(f"{case} belongs into {kind}/:\n{text}")
            continue
        golden.expected_file(case).write_text(text)
    for case in golden.diff_cases():
        (golden.FOLDER / case / "expected").write_text(golden.difference(case))


def main(what: list[str]) -> None:
    if not what or "tables" in what:
        TABLES.write_text(tables())
    if not what or "golden" in what:
        update_golden()


if __name__ == "__main__":
    main(sys.argv[1:])
