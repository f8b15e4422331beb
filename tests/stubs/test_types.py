"""mypy and pyright, strict, accept what is right with a generated package, and refuse each thing that is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stubs.checkers import CHECKERS, generate
from tests.stubs.snippets import KINDS, RIGHT, WRONG, refused, text
from tests.support import ROOT

IDLS = (ROOT / "idl" / "directory.thrift", ROOT / "tests" / "stubs" / "idl" / "names.thrift")


def snippets() -> Iterator[tuple[str, str, set[int]]]:
    """A name for a file, what is to stand in it, and the lines that are to be refused."""
    for number, snippet in enumerate(RIGHT.values()):
        yield f"right_{number}.py", text(snippet), set()
    for number, snippet in enumerate(WRONG.values()):
        yield f"wrong_{number}.py", text(snippet), {refused(snippet)}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("checker", CHECKERS)
def test_what_is_right_is_accepted_and_what_is_wrong_refused(checker: str, tmp_path: Path) -> None:
    """One run over everything: starting a checker takes longer than all that it checks here."""
    (tmp_path / "idl").mkdir()
    (tmp_path / "idl" / "kinds.thrift").write_text(KINDS)
    packages = generate(tmp_path, tmp_path / "idl" / "kinds.thrift", *IDLS)
    for file, code, _ in snippets():
        (tmp_path / file).write_text(code)
    found = CHECKERS[checker](tmp_path, *packages, *(file for file, _, _ in snippets()))
    assert not {file: lines for file, lines in found.items() if "/" in file}
    names = [f"right: {name}" for name in RIGHT] + [f"wrong: {name}" for name in WRONG]
    differing = {
        name: (sorted(lines), found.get(file))
        for name, (file, _, lines) in zip(names, snippets(), strict=True)
        if found.get(file, {}).keys() != lines
    }
    assert not differing
