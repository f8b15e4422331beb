"""Recorded bytes: ``tests/golden/wire/NAME.hex`` and, beside it, the value in ``NAME.json``. A new case is two files.

The JSON names a struct of ``tests.codec.schemas`` under ``struct`` and has its ``value`` as plain data, or the
``error`` that the bytes give. ``written`` is false where the bytes are valid but not how we would write them.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import pytest

from tests.codec import schemas
from tests.support import ROOT
from thriftserver.codec.plain import from_plain
from thriftserver.errors import WireError
from thriftserver.schema.classes import class_of

CASES = sorted((ROOT / "tests" / "golden" / "wire").glob("*.json"))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_recorded_bytes(codec: ModuleType, path: Path) -> None:
    case = json.loads(path.read_text())
    raw = bytes.fromhex(path.with_suffix(".hex").read_text())
    schema = getattr(schemas, case["struct"])
    if "error" in case:
        with pytest.raises(WireError) as caught:
            codec.decode_struct(class_of(schema), raw)
        assert str(caught.value) == case["error"]
        return
    value = from_plain(schema, case["value"])
    assert codec.decode_struct(class_of(schema), raw) == value
    if case.get("written", True):
        assert codec.encode_struct(value) == raw


def test_there_are_cases() -> None:
    assert CASES
