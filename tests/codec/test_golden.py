"""Recorded bytes: ``tests/golden/wire/NAME.hex`` and, beside it, the value in ``NAME.json``. A new case is two files.

Those of other protocols than the binary one are in folders of ``tests/golden`` that are called like them.

The JSON names a struct of ``tests.codec.schemas`` under ``struct`` and has its ``value`` as plain data, or the
``error`` that the bytes give. ``written`` is false where the bytes are valid but not how we would write them.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.codec import schemas
from tests.codec.variants import FORMS, codec_of
from tests.support import ROOT
from thriftserver.codec.plain import from_plain
from thriftserver.compiled import PROTOCOLS
from thriftserver.errors import WireError
from thriftserver.schema.classes import class_of

_FOLDERS = {name: ROOT / "tests" / "golden" / ("wire" if name == "binary" else name) for name in PROTOCOLS}
CASES = [(name, path) for name, folder in _FOLDERS.items() for path in sorted(folder.glob("*.json"))]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("protocol", "path"), CASES, ids=[f"{name}-{path.stem}" for name, path in CASES])
def test_recorded_bytes(protocol: str, path: Path, form: str) -> None:
    codec = codec_of(protocol, form)
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
    assert {"binary", "compact"} <= {name for name, _ in CASES}
