"""What the golden files of ``tests/golden/idl`` must say: one function, for the test and for ``update`` alike."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from tests.support import ROOT
from thriftserver.idl.diagnostics import render
from thriftserver.idl.dump import dump
from thriftserver.idl.loader import Loader
from thriftserver.schema.compat import compare

FOLDER = ROOT / "tests" / "golden" / "idl"
#: ``ok`` files load without a word and are dumped; ``warn`` files load, ``bad`` files do not, and their report is kept.
KINDS = {"ok": ".json", "warn": ".err", "bad": ".err"}


def cases() -> list[Path]:
    return [path.relative_to(FOLDER) for kind in KINDS for path in sorted((FOLDER / kind).glob("*.thrift"))]


def expected_file(case: Path) -> Path:
    return FOLDER / case.with_suffix(KINDS[case.parts[0]])


def outcome(case: Path) -> tuple[str, str]:
    """The kind of folder that a case belongs to by what it does, and the text that stands beside it."""
    with contextlib.chdir(FOLDER):
        module, found = Loader().check(str(case))
        if module is None:
            return "bad", render(found) + "\n"
        if found:
            return "warn", render(found) + "\n"
        return "ok", json.dumps(dump(module), indent=1, ensure_ascii=False) + "\n"


def diff_cases() -> list[Path]:
    """Folders with two versions of an IDL, ``old/api.thrift`` and ``new/api.thrift``, and what is ``expected``."""
    return [path.relative_to(FOLDER) for path in sorted((FOLDER / "diff").iterdir())]


def difference(case: Path) -> str:
    """What must stand in ``expected``: a line for each change."""
    with contextlib.chdir(FOLDER / case):
        old, new = (Loader().load(f"{side}/api.thrift") for side in ("old", "new"))
        return "".join(f"{change}\n" for change in compare([old], [new])) or "no changes\n"
