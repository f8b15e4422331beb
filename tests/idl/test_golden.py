"""Golden files: every IDL in ``tests/golden/idl`` means, or is told, exactly what stands in the file beside it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.idl import golden


@pytest.mark.parametrize("case", golden.cases(), ids=str)
def test_golden(case: Path) -> None:
    kind, text = golden.outcome(case)
    assert kind == case.parts[0]
    assert text == golden.expected_file(case).read_text(), "run `python -m tests.idl.update golden` if this is right"


@pytest.mark.parametrize("case", golden.diff_cases(), ids=str)
def test_difference(case: Path) -> None:
    expected = (golden.FOLDER / case / "expected").read_text()
    assert golden.difference(case) == expected, "run `python -m tests.idl.update golden` if this is right"


def test_there_are_enough_different_messages() -> None:
    messages = set()
    for path in (golden.FOLDER / "bad").glob("*.err"):
        for message in re.findall(r"^\S+: error: (.*)$", path.read_text(), re.MULTILINE):
            messages.add(re.sub(r"`[^`]*`|\"[^\"]*\"|-?\d+(\.\d+)?", "_", message))
    assert len(messages) >= 60


@pytest.mark.parametrize("case", [case for case in golden.cases() if case.parts[0] != "ok"], ids=str)
def test_every_message_has_a_place(case: Path) -> None:
    report = golden.expected_file(case).read_text()
    heads = [line for line in report.splitlines() if re.search(r": (error|warning): ", line)]
    assert heads
    for head in heads:
        assert re.match(r"\S+\.thrift:\d+:\d+: (error|warning): \S", head)
