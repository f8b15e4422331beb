"""Stubs of all kinds of IDL files: what type checkers, Python and the runtime make of them."""

from __future__ import annotations

import ast
import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stubs.checkers import CHECKERS, made
from tests.support import ROOT, SHARED, need
from thriftserver.stubs.package import Package, write

CORPUS = Path(os.environ.get("THRIFTSERVER_CORPUS") or SHARED / "idl-corpus") / "good"

#: IDL files of this repository that can be loaded.
OURS = [
    *(ROOT / "idl").glob("*.thrift"),
    *(ROOT / "bench").glob("*.thrift"),
    *(ROOT / "thriftserver" / "idl" / "std").glob("*.thrift"),
    *(ROOT / "tests" / "interop" / "foreign").glob("*.thrift"),
    *(ROOT / "tests" / "dialect").glob("*.thrift"),
    *(ROOT / "tests" / "stubs" / "idl").glob("*.thrift"),
    *(ROOT / "tests" / "golden" / "idl" / "ok").glob("*.thrift"),
    *(ROOT / "tests" / "golden" / "idl" / "warn").glob("*.thrift"),
]


def corpus() -> Iterator[tuple[Path, list[Path]]]:
    """Every file that can be loaded, with the directories for its includes."""
    manifest = CORPUS / "manifest.tsv"
    need(manifest.exists(), f"the IDL corpus in {CORPUS.parent} (set THRIFTSERVER_CORPUS)")
    csv.field_size_limit(10**7)
    with manifest.open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            if row["label"] == "accept" and row["complete"] == "1":
                yield CORPUS / row["path"], [CORPUS / folder for folder in row["incdirs"].split(";") if folder]


def renamed(package: Package, name: str) -> Package:
    """Under a name that no other package of the same run has."""
    files = {path.replace(package.name, name, 1): content for path, content in package.files.items()}
    return package._replace(name=name, files=files)


def checked(checker: str, packages: list[Package], folder: Path) -> dict[str, dict[int, list[str]]]:
    packages = [renamed(package, f"p{number}_{package.name}") for number, package in enumerate(packages)]
    write(packages, folder)
    return CHECKERS[checker](folder, *(package.name for package in packages))


@pytest.mark.timeout(600)
@pytest.mark.parametrize("checker", CHECKERS)
def test_every_idl_of_this_repository(checker: str, tmp_path: Path) -> None:
    assert len(OURS) > 40
    assert not checked(checker, [made(idl) for idl in sorted(OURS)], tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("checker", CHECKERS)
def test_every_idl_of_the_corpus(checker: str, tmp_path: Path) -> None:
    packages = [made(*each) for each in corpus()]
    assert len(packages) > 500
    assert not checked(checker, packages, tmp_path)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_stub_of_the_corpus_is_python_and_has_the_names_that_its_module_has(tmp_path: Path) -> None:
    packages = [renamed(made(*each), f"p{number}") for number, each in enumerate(corpus())]
    assert len(packages) > 500
    write(packages, tmp_path)
    for package in packages:
        for path, content in package.files.items():
            if path.endswith((".py", ".pyi")):
                ast.parse(content, path)
    imported = subprocess.run(
        [sys.executable, "-m", "tests.stubs.attributes", str(tmp_path), *(package.name for package in packages)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert imported.returncode == 0, imported.stdout + imported.stderr
