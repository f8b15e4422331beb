"""Pickled values come back in another process, which has to load the IDL first."""

from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

from tests.codec.schemas import NOT_FOUND, POINT, ROLE, SHAPE, WHERE
from tests.support import ROOT
from thriftserver.schema.classes import class_of, enum_of
from thriftserver.schema.pickles import revive

_OTHER = """
import pickle, sys
from thriftserver.schema.pickles import set_importer
loaded = []
def importer(path):
    loaded.append(path)
    from tests.codec.schemas import NOT_FOUND, POINT, ROLE, SHAPE
    from thriftserver.schema.classes import class_of, enum_of
    for each in (POINT, SHAPE, NOT_FOUND):
        class_of(each)
    enum_of(ROLE)
set_importer(importer)
values = pickle.load(sys.stdin.buffer)
sys.stdout.buffer.write(pickle.dumps((loaded, values)))
"""


def test_values_travel_between_processes() -> None:
    point, shape, missing, role = class_of(POINT), class_of(SHAPE), class_of(NOT_FOUND), enum_of(ROLE)
    values = [point(1, 2), shape(corners=[point(3)]), missing("gone"), role(7), {point(1): 1}]
    answer = subprocess.run(
        [sys.executable, "-c", _OTHER],
        input=pickle.dumps(values),
        stdout=subprocess.PIPE,
        cwd=ROOT,
        check=True,
        timeout=60,
    ).stdout
    loaded, back = pickle.loads(answer)
    assert loaded == [WHERE.path]
    assert back == values


def test_fields_come_and_go_between_versions() -> None:
    point = class_of(POINT)
    assert revive(WHERE.path, "schemas", "Point", {"x": 1, "gone": 2}) == point(1)


def test_an_idl_that_nobody_loaded() -> None:
    with pytest.raises(LookupError, match=r"no class schemas\.Point: /nowhere is not loaded"):
        revive("/nowhere", "schemas", "Point", {})
