"""Broken IDL of every kind: whatever the text, there is a module or there are diagnostics, and nothing else."""

from __future__ import annotations

import json
import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.idl import golden
from thriftserver.idl.diagnostics import render
from thriftserver.idl.dump import dump
from thriftserver.idl.loader import Loader

FILES = {str(path.relative_to(golden.FOLDER)): path for path in sorted(golden.FOLDER.rglob("*.thrift"))}
TEXTS = {name: path.read_bytes().decode("utf-8", "surrogateescape") for name, path in FILES.items()}
NAMES = sorted(TEXTS)
GOOD = [name for name in NAMES if name.startswith("ok/")]
PIECE = re.compile(r"\w+|\s+|\"[^\"]*\"|.", re.DOTALL)
PIECES = sorted({piece for text in TEXTS.values() for piece in PIECE.findall(text)})

bounded = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def survives(name: str, text: str) -> None:
    """The one claim: a module that can be dumped, or a report that can be printed, with places in the text."""
    module, found = Loader().check(name, files=TEXTS | {name: text})
    report = render(found)
    assert (module is None) == any(diagnostic.severity == "error" for diagnostic in found)
    if module is not None:
        json.dumps(dump(module))
    for diagnostic in found:
        assert diagnostic.message
        assert diagnostic.line >= 1
        assert diagnostic.column >= 1
    assert "\x1b" not in report


@bounded
@given(st.data())
def test_mutated_files(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(GOOD))
    pieces = PIECE.findall(TEXTS[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(pieces) - 1)) if pieces else 0
        match data.draw(st.sampled_from(["delete", "double", "swap", "replace", "insert", "cut", "character"])):
            case "delete":
                del pieces[at : at + data.draw(st.integers(1, 5))]
            case "double":
                pieces[at:at] = pieces[at : at + data.draw(st.integers(1, 20))]
            case "swap" if pieces:
                other = data.draw(st.integers(0, len(pieces) - 1))
                pieces[at], pieces[other] = pieces[other], pieces[at]
            case "replace":
                pieces[at : at + 1] = [data.draw(st.sampled_from(PIECES))]
            case "insert":
                pieces.insert(at, data.draw(st.sampled_from(PIECES)))
            case "cut":
                del pieces[at:]
            case _:
                pieces.insert(at, data.draw(st.text(min_size=1, max_size=3)))
    survives(name, "".join(pieces))


@bounded
@given(st.lists(st.sampled_from(PIECES), max_size=60))
def test_words_of_thrift_in_any_order(pieces: list[str]) -> None:
    survives("ok/any.thrift", " ".join(pieces))


@bounded
@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    survives("ok/any.thrift", data.decode("utf-8", "surrogateescape"))


@bounded
@given(st.sampled_from(NAMES), st.data())
def test_broken_bytes_in_files(name: str, data: st.DataObject) -> None:
    raw = bytearray(FILES[name].read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(raw)))
        raw[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    survives(name, raw.decode("utf-8", "surrogateescape"))
