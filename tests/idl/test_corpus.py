"""Real files, and broken ones, from outside this repository: we make of them what Apache's compiler makes of them."""

from __future__ import annotations

import csv
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support import SHARED, need
from thriftserver.idl.diagnostics import render
from thriftserver.idl.dump import dump
from thriftserver.idl.loader import Loader

CORPUS = Path(os.environ.get("THRIFTSERVER_CORPUS") or SHARED / "idl-corpus")


def rows(path: Path) -> list[dict[str, str]]:
    need(path.exists(), f"the IDL corpus in {CORPUS} (set THRIFTSERVER_CORPUS)")
    csv.field_size_limit(10**7)
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.fixture(scope="module")
def compare() -> Any:
    need((CORPUS / "compare_json.py").exists(), f"the IDL corpus in {CORPUS} (set THRIFTSERVER_CORPUS)")
    sys.path.insert(0, str(CORPUS))
    try:
        return __import__("compare_json").compare
    finally:
        sys.path.remove(str(CORPUS))


def test_every_good_file_means_what_it_means_to_apache(compare: Any) -> None:
    wrong = []
    good = CORPUS / "good"
    for row in rows(good / "manifest.tsv"):
        if row["label"] != "accept" or row["complete"] != "1":
            continue
        path = good / row["path"]
        include_dirs = [str(good / folder) for folder in row["incdirs"].split(";") if folder]
        module, found = Loader().check(str(path), include_dirs)
        if module is None:
            wrong.append(render(found))
        elif row["expected"] == "1":
            expected = json.loads(path.with_suffix(".expected.json").read_text())
            different = compare(expected, json.loads(json.dumps(dump(module))))
            wrong += [f"{row['path']}: {one}" for one in different]
    assert not wrong, "\n".join(wrong)


def test_every_bad_file_is_refused_where_it_is_wrong() -> None:
    wrong = []
    for row in rows(CORPUS / "bad" / "bad.tsv"):
        module, found = Loader().check(str(CORPUS / "bad" / row["file"]))
        errors = [diagnostic for diagnostic in found if diagnostic.severity == "error"]
        if row["expect"] == "reject":
            fine = bool(errors) and errors[0].line == int(row["line"]) and errors[0].column > 0
        else:
            fine = row["expect"] == "either" or module is not None
        if not fine:
            wrong.append(f"{row['file']} line {row['line']}, {row['expect']}:\n{render(found)}")
    assert not wrong, "\n".join(wrong)


def test_no_file_whatever_its_label_gives_a_traceback() -> None:
    for row in rows(CORPUS / "good" / "manifest.tsv"):
        module, found = Loader().check(str(CORPUS / "good" / row["path"]))
        assert module is not None or render(found)
